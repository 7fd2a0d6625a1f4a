/* The restorer, as bytes to be copied into the hole. */
        .section .rodata
        .globl  restorer_blob_start
        .globl  restorer_blob_end
        .balign 64
restorer_blob_start:
        .incbin "restorer.bin"
restorer_blob_end:

        .section .note.GNU-stack, "", @progbits
