/* The restorer's first byte, the birth of a worker thread, and the jump into the program. */

#include "restorer/offsets.h"

        .section .text.entry, "ax", @progbits

/* rdi: plan, rsi: end of the first thread's stack. Never returns. */
        .globl  restorer_entry
        .type   restorer_entry, @function
restorer_entry:
        mov     %rsi, %rsp
        and     $-16, %rsp
        xor     %ebp, %ebp
        call    restorer_main
        ud2
        .size   restorer_entry, .-restorer_entry

        .text

/* long restorer_start_worker(rdi: flags, rsi: stack_end, rdx: tid, rcx: plan, r8: number)
 * The kernel takes flags, stack, parent_tid, child_tid, tls in rdi, rsi, rdx, r10, r8; rcx and r11 are lost. */
        .globl  restorer_start_worker
        .hidden restorer_start_worker
        .type   restorer_start_worker, @function
restorer_start_worker:
        sub     $16, %rsi
        mov     %rcx, (%rsi)
        mov     %r8, 8(%rsi)
        mov     %rdx, %r10
        xor     %r8d, %r8d
        mov     $56, %eax               /* clone */
        syscall
        test    %rax, %rax
        jz      1f
        ret
1:      pop     %rdi
        pop     %rsi
        xor     %ebp, %ebp
        call    restorer_worker
        ud2
        .size   restorer_start_worker, .-restorer_start_worker

/* long restorer_start_thread(rdi: clone_args, rsi: size, rdx: plan, rcx: number). The new thread has our
 * registers but for rsp and rax; rcx and r11 are lost. */
        .globl  restorer_start_thread
        .hidden restorer_start_thread
        .type   restorer_start_thread, @function
restorer_start_thread:
        mov     %rcx, %r8
        mov     $435, %eax              /* clone3 */
        syscall
        test    %rax, %rax
        jz      1f
        ret
1:      mov     %rdx, %rdi
        mov     %r8, %rsi
        xor     %ebp, %ebp
        call    restorer_thread
        ud2
        .size   restorer_start_thread, .-restorer_start_thread

/* void restorer_resume(rdi: struct ckpt_thread): the registers that a call preserves, then rax = 1 at rip.
 * The rest comes from the program's signal frame when libckpt returns from its handler. */
        .globl  restorer_resume
        .hidden restorer_resume
        .type   restorer_resume, @function
restorer_resume:
        mov     OFFSET_RBX(%rdi), %rbx
        mov     OFFSET_RBP(%rdi), %rbp
        mov     OFFSET_R12(%rdi), %r12
        mov     OFFSET_R13(%rdi), %r13
        mov     OFFSET_R14(%rdi), %r14
        mov     OFFSET_R15(%rdi), %r15
        mov     OFFSET_RSP(%rdi), %rsp
        mov     OFFSET_RIP(%rdi), %rcx
        mov     $1, %eax
        cld
        jmp     *%rcx
        .size   restorer_resume, .-restorer_resume

        .section .note.GNU-stack, "", @progbits
