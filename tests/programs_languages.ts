/**
 * More programs of tests/programs.ts: languages whose run-time systems do things their own way.
 *
 * @module
 */
import type { Workload } from "./programs_workload.ts";

export const languageWorkloads: Workload[] = [
  {
    name: "Erlang",
    command: "escript ../input/ring.erl > out",
    needs: { escript: "erlang-base" },
    inputs: {
      // Timers, ports and some hundred of its processes, on as many schedulers as there are CPUs.
      "ring.erl": `#!/usr/bin/env escript
%%! -mode compile
step(X) -> X * 16807 rem 2147483647.
relay(Next) -> receive
    stop -> Next ! stop;
    {turn, N, X} -> Next ! {turn, N + 1, step(X)}, relay(Next)
  end.
turns(_, 0, X) -> X;
turns(First, Turns, X) ->
  First ! {turn, 0, X},
  receive {turn, N, Y} -> Turns rem 20 =/= 0 orelse io:format("~p ~p ~p~n", [Turns, N, Y]) end,
  Turns rem 200 =/= 0 orelse io:format("~s", [os:cmd("echo from a shell")]),
  timer:sleep(if Turns rem 20 =:= 0 -> 3; true -> 0 end),
  turns(First, Turns - 1, Y).
main(_) ->
  Me = self(),
  First = lists:foldl(fun(_, Next) -> spawn(fun() -> relay(Next) end) end, Me, lists:seq(1, 300)),
  Table = ets:new(table, [public]),
  Workers = [spawn_link(fun() ->
    [ets:insert(Table, {{W, I}, lists:foldl(fun(_, X) -> step(X) end, I + W, lists:seq(1, 150))}) || I <- lists:seq(1, 2500)],
    Me ! {done, W}
  end) || W <- lists:seq(1, 4)],
  X = turns(First, 800, 7),
  First ! stop,
  receive stop -> ok end,
  [receive {done, W} -> ok end || W <- lists:seq(1, length(Workers))],
  io:format("~p ~p ~p~n", [X, ets:info(Table, size), lists:sum([V || {_, V} <- ets:tab2list(Table)])]).
`,
    },
  },
  {
    name: "SBCL",
    command: "sbcl --script ../input/lists.lisp > out",
    needs: { sbcl: "sbcl" },
    inputs: {
      // It takes faults on purpose: its collector protects pages, and its code traps.
      "lists.lisp": `(defun next (x) (mod (* x 16807) 2147483647))
(let ((table (make-hash-table :test #'equal)) (x 7))
  (dotimes (i 1500000)
    (setf x (next x))
    (push (list i x) (gethash (format nil "~d" (mod x 997)) table))
    (when (zerop (mod i 13))
      (setf (gethash (format nil "~d" (mod x 997)) table) nil))
    (when (zerop (mod i 50000))
      (format t "~d ~d ~a~%" i x (handler-case (/ x (- i i)) (division-by-zero () "no quotient")))
      (finish-output)))
  (format t "~d~%" (loop for list being the hash-values of table sum (reduce #'+ list :key #'second))))
`,
    },
  },
  {
    name: "Guile",
    command: "guile --no-auto-compile ../input/streams.scm > out",
    needs: { guile: "guile-3.0" },
    inputs: {
      "streams.scm": `(use-modules (ice-9 threads) (srfi srfi-1))
(define (next x) (modulo (* x 16807) 2147483647))
(define (work seed)
  (let loop ((i 0) (x seed) (kept '()))
    (if (= i 400000)
        (fold + x kept)
        (loop (+ i 1) (next x) (if (zero? (modulo x 17)) (cons x kept) kept)))))
(do ((i 1 (+ i 1))) ((> i 12))
  (format #t "~a ~a~%" i (par-map work (list i (+ i 100))))
  (force-output))
`,
    },
  },
  {
    name: "Emacs",
    command: "emacs -Q --batch -l ../input/buffers.el > out",
    needs: { emacs: "emacs-nox" },
    inputs: {
      "buffers.el": `(let ((x 7) (i 0))
  (with-temp-buffer
    (while (< i 400000)
      (setq i (1+ i) x (% (* x 16807) 2147483647))
      (goto-char (1+ (% x (1+ (buffer-size)))))
      (insert (number-to-string x) " ")
      (when (> (buffer-size) 100000) (delete-region 1 50000))
      (when (= (% i 10000) 0)
        (princ (format "%d %s\\n" i (secure-hash 'sha256 (current-buffer))))))
    (sort-regexp-fields nil "[0-9]+" "\\\\&" (point-min) (point-max))
    (write-region (point-min) (point-max) "sorted" nil 'quiet)))
`,
    },
  },
  {
    name: "Haskell with threads",
    command: "../input/maps +RTS -N3 -A1m > out",
    needs: { ghc: "ghc" },
    prepare: "ghc -O -threaded -rtsopts maps.hs > made",
    inputs: {
      // A timer of the run-time system's, its collector in three threads, and event managers with epoll and eventfds.
      "maps.hs": `import Control.Concurrent
import Control.Monad
import qualified Data.Map.Strict as M
import System.IO

step :: Int -> Int
step x = x * 16807 \`mod\` 2147483647

count :: Int -> Int -> (Int, M.Map Int Int)
count start turns = go start turns M.empty where
  go x 0 m = (x, m)
  go x k m = let y = step x in go y (k - 1 :: Int) (M.insertWith (+) (y \`mod\` 3001) y m)

serve :: MVar Int -> MVar Int -> Int -> IO ()
serve questions answers x = do
  turns <- takeMVar questions
  let (y, m) = count x turns
      s = M.foldlWithKey' (\\t a b -> (t * 31 + a * b) \`mod\` 1000000007) 0 m
  s \`seq\` putMVar answers s
  threadDelay 1000
  serve questions answers y

main :: IO ()
main = do
  hSetBuffering stdout LineBuffering
  workers <- forM [1 .. 4] $ \\i -> do
    questions <- newEmptyMVar
    answers <- newEmptyMVar
    _ <- forkIO (serve questions answers i)
    return (questions, answers)
  forM_ [1 .. 60 :: Int] $ \\i -> do
    forM_ workers $ \\(questions, _) -> putMVar questions 20000
    found <- forM workers (takeMVar . snd)
    putStrLn (show i ++ " " ++ show found)
`,
    },
  },
];
