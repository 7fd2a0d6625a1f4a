/* long ckpt_semaphore_call(struct semaphore_call *rdi): semtimedop, and the note about it.
 *
 * From ckpt_window_opens to ckpt_window_closes the call has been made and, when it has succeeded (rax is 0), is not
 * yet noted: entry.S puts signals of ours off there. */

        .cfi_sections .debug_frame
        .text
        .globl  ckpt_semaphore_call
        .hidden ckpt_semaphore_call
        .globl  ckpt_window_opens
        .hidden ckpt_window_opens
        .globl  ckpt_window_closes
        .hidden ckpt_window_closes
        .type   ckpt_semaphore_call, @function
ckpt_semaphore_call:
        .cfi_startproc
        pushq   %rbx
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset rbx, 0
        movq    %rdi, %rbx
        movq    0(%rbx), %rdi
        movq    8(%rbx), %rsi
        movq    16(%rbx), %rdx
        movq    24(%rbx), %r10
        movl    $220, %eax              /* semtimedop */
        syscall
ckpt_window_opens:
        testq   %rax, %rax
        jnz     ckpt_window_closes
        call    ckpt_note_undo
        xorl    %eax, %eax
ckpt_window_closes:
        popq    %rbx
        .cfi_adjust_cfa_offset -8
        .cfi_restore rbx
        ret
        .cfi_endproc
        .size   ckpt_semaphore_call, .-ckpt_semaphore_call

        .section .note.GNU-stack,"",@progbits
