/**
 * A Go program with cgo: an HTTP server, whose goroutines hand everything to one that owns it, over channels; C code
 * computes what the log has of each entry.
 *
 * @module
 */
import { connectHttp } from "./http.ts";
import { checkLog } from "./log.ts";
import type { Server } from "../programs_servers.ts";

export const go: Server = {
  name: "Go with cgo",
  command: "../input/server",
  needs: { go: "golang-go", gcc: "gcc" },
  prepare:
    "GO111MODULE=off GOCACHE=$PWD/cache GOPATH=$PWD/path CGO_ENABLED=1 go build -o server server.go",
  inputs: {
    "server.go": `package main

/*
#include <stdlib.h>
#include <string.h>
static unsigned sum(const char *text) {
  unsigned value = 7;
  for (size_t i = 0; i < strlen(text); i++)
    value = value * 31 + (unsigned char)text[i];
  return value;
}
*/
import "C"

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

type order struct {
	client string
	n      int
	text   string
	answer chan int
}

type question struct {
	client string
	answer chan []string
}

var orders = make(chan order)
var questions = make(chan question)

// Owns all entries.
func keep(log *os.File) {
	all := map[string][]string{}
	for {
		select {
		case o := <-orders:
			if o.n == len(all[o.client])+1 {
				all[o.client] = append(all[o.client], o.text)
				text := C.CString(o.text)
				fmt.Fprintln(log, o.client, o.n, uint32(C.sum(text)))
				C.free(unsafe.Pointer(text))
				o.answer <- o.n
			} else {
				o.answer <- -1
			}
		case q := <-questions:
			q.answer <- all[q.client]
		}
	}
}

func serve(w http.ResponseWriter, r *http.Request) {
	words := strings.Split(r.URL.Path, "/")
	if r.Method == "GET" {
		answer := make(chan []string)
		questions <- question{words[1], answer}
		entries := <-answer
		if len(words) == 2 {
			fmt.Fprint(w, len(entries))
			return
		}
		for _, text := range entries {
			fmt.Fprintln(w, text)
		}
		return
	}
	n, _ := strconv.Atoi(words[2])
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	answer := make(chan int)
	orders <- order{words[1], n, string(body), answer}
	if done := <-answer; done > 0 {
		fmt.Fprint(w, done)
	} else {
		w.WriteHeader(409)
	}
}

// Turns over memory, so that the collector has work.
func churn() {
	words := map[int]string{}
	for i := 0; ; i++ {
		words[i%100000] = strconv.Itoa(i)
		if words[i%100000] != strconv.Itoa(i) {
			os.Exit(9)
		}
	}
}

func main() {
	log, err := os.OpenFile("log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	go keep(log)
	go churn()
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM)
	go func() {
		<-ended
		os.Exit(0)
	}()
	panic(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), http.HandlerFunc(serve)))
}
`,
  },
  connect: connectHttp,
  check: checkLog,
};
