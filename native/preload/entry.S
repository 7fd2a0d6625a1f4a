/* The places where the stack changes under C's feet. */

        .text
        .hidden __start_ckpt_window
        .hidden __stop_ckpt_window

/* Signal handler, as the kernel calls it: edi signal, rsi siginfo, rdx ucontext, on the program's stack
 * (maybe a small alternate one), so that this frame is all we take of it. Goes on in ckpt_on_signal on
 * the parking stack. A signal that finds the parking stack in use is dealt with at 4. */
        .globl  ckpt_signal_entry
        .hidden ckpt_signal_entry
        .type   ckpt_signal_entry, @function
ckpt_signal_entry:
        /* A thread that is about to note what a call has done comes later (sysv_undo.c). */
        movq    168(%rdx), %rax         /* rip */
        leaq    ckpt_window_opens(%rip), %rcx
        subq    %rcx, %rax
        leaq    ckpt_window_closes(%rip), %r8
        subq    %rcx, %r8
        cmpq    %r8, %rax
        jae     8f
        cmpq    $0, 144(%rdx)           /* rax */
        je      9f
        jmp     10f
8:      movq    168(%rdx), %rax
        leaq    __start_ckpt_window(%rip), %rcx
        cmpq    %rcx, %rax
        jb      10f
        leaq    __stop_ckpt_window(%rip), %rcx
        cmpq    %rcx, %rax
        jae     10f
9:      jmp     ckpt_put_off
10:     cmpl    $32, %edi
        je      6f
        cmpl    $33, %edi
        jne     2f
6:      cmpl    $-2, 8(%rsi)            /* si_code: CKPT_CONTROL_CODE */
        jne     3f
        /* The leader of a checkpoint asks this thread to park: si_value is the address of a struct parked,
         * which begins with the end of the stack to do that on, and says at 8 that this stack is in use. */
        movq    24(%rsi), %rax
        cmpq    ckpt_parked_start(%rip), %rax
        jb      7f
        cmpq    ckpt_parked_end(%rip), %rax
        jae     7f
        pushq   %rbp
        pushq   %rbx
        movq    %rsp, %rbp
        movq    %rax, %rbx
        movq    (%rax), %rsp
        movq    %rax, %rdi
        movq    %rdx, %rsi
        call    ckpt_park
        movq    %rbp, %rsp
        movl    $0, 8(%rbx)
        popq    %rbx
        popq    %rbp
        ret
7:      cmpl    $32, %edi
        je      2f
        /* Not ours: libc's own use of 32 or 33, which may unwind this stack and never return. */
3:      movl    %edi, %ecx
        leaq    ckpt_chained(%rip), %rax
        movq    -32 * 8(%rax, %rcx, 8), %rax
        testq   %rax, %rax
        jz      1f
        jmp     *%rax
2:      movl    $1, %eax
        xchgl   %eax, ckpt_parking_used(%rip)
        testl   %eax, %eax
        jnz     4f
        pushq   %rbp
        movq    %rsp, %rbp
        leaq    ckpt_parking_stack_end(%rip), %rsp
        call    ckpt_on_signal
        movq    %rbp, %rsp
        popq    %rbp
        xorl    %eax, %eax
        xchgl   %eax, ckpt_parking_used(%rip)
        cmpl    $0, ckpt_late(%rip)
        jne     ckpt_look_late
1:      ret
        /* Another thread leads a checkpoint. If it has not frozen this one yet, one more of the same is what that
         * will be; else it is late and one more is made: whoever sees the other's word first queues it. But a
         * request whose answer somebody waits for goes to the end of the queue, behind the leader's call to park. */
4:      cmpl    $32, %edi
        jne     5f
        movq    %rsi, %rdi
        jmp     ckpt_queue_again
        /* Either way the wait that it has ended goes on, now: the leader may be waiting for this thread (in a hook),
         * so there is a stack for this that is never in use for long. */
5:      pushq   %rbp
        movq    %rsp, %rbp
6:      movl    $1, %eax
        xchgl   %eax, ckpt_passing_used(%rip)
        testl   %eax, %eax
        jz      7f
        movl    $24, %eax               /* sched_yield */
        syscall
        jmp     6b
7:      leaq    ckpt_passing_stack_end(%rip), %rsp
        movq    %rdx, %rdi
        xorl    %esi, %esi
        call    thread_pass_by
        movq    %rbp, %rsp
        popq    %rbp
        xorl    %eax, %eax
        xchgl   %eax, ckpt_passing_used(%rip)
        movl    $1, %eax
        xchgl   %eax, ckpt_late(%rip)
        cmpl    $0, ckpt_parking_used(%rip)
        je      ckpt_look_late
        ret
        .size   ckpt_signal_entry, .-ckpt_signal_entry

/* int ckpt_context_save(struct context *rdi): keeps rip, rsp and the registers that a call preserves, in
 * the order of struct context. Returns 0 now and 1 in a restarted process, where the restorer loads them. */
        .globl  ckpt_context_save
        .hidden ckpt_context_save
        .type   ckpt_context_save, @function
ckpt_context_save:
        movq    (%rsp), %rax
        movq    %rax, 0(%rdi)
        leaq    8(%rsp), %rax
        movq    %rax, 8(%rdi)
        movq    %rbx, 16(%rdi)
        movq    %rbp, 24(%rdi)
        movq    %r12, 32(%rdi)
        movq    %r13, 40(%rdi)
        movq    %r14, 48(%rdi)
        movq    %r15, 56(%rdi)
        xorl    %eax, %eax
        ret
        .size   ckpt_context_save, .-ckpt_context_save

/* void ckpt_run_on(void *rdi stack_end, void (*rsi)(void *), void *rdx): calls rsi(rdx) on that stack. */
        .globl  ckpt_run_on
        .hidden ckpt_run_on
        .type   ckpt_run_on, @function
ckpt_run_on:
        pushq   %rbp
        movq    %rsp, %rbp
        movq    %rdi, %rsp
        movq    %rdx, %rdi
        call    *%rsi
        movq    %rbp, %rsp
        popq    %rbp
        ret
        .size   ckpt_run_on, .-ckpt_run_on

/* The kernel returns here from a handler that was installed by libckpt. gdb knows the pattern. */
        .globl  ckpt_signal_return
        .hidden ckpt_signal_return
        .type   ckpt_signal_return, @function
        nop
ckpt_signal_return:
        movq    $15, %rax
        syscall
        .size   ckpt_signal_return, .-ckpt_signal_return

        .bss
        .balign 4096
ckpt_parking_stack:
        .skip   32768
ckpt_parking_stack_end:
        .skip   16384
ckpt_passing_stack_end:
        /* A page of its own, which a fork wipes (init.c): the child of a thread that another one is about to
         * freeze has nobody who would ever leave the parking stack. */
        .globl  ckpt_parking_page
        .hidden ckpt_parking_page
ckpt_parking_page:
ckpt_parking_used:
        .long   0
ckpt_passing_used:
        .long   0
        .globl  ckpt_late
        .hidden ckpt_late
ckpt_late:                              /* 1: a signal came while another thread led a checkpoint */
        .long   0
        .balign 4096

        .balign 8
        .globl  ckpt_parked_start
        .hidden ckpt_parked_start
        .globl  ckpt_parked_end
        .hidden ckpt_parked_end
        .globl  ckpt_chained
        .hidden ckpt_chained
ckpt_parked_start:                      /* where struct parked are (seats.c) */
        .quad   0
ckpt_parked_end:
        .quad   0
ckpt_chained:                           /* the handlers that had 32 and 33 before us */
        .quad   0
        .quad   0

        .section .note.GNU-stack,"",@progbits
