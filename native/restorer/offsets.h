/* Where entry.S finds the registers in struct ckpt_thread; main.c checks them. */
#ifndef CKPT_RESTORER_OFFSETS_H
#define CKPT_RESTORER_OFFSETS_H

#define OFFSET_RIP 112
#define OFFSET_RSP 120
#define OFFSET_RBX 128
#define OFFSET_RBP 136
#define OFFSET_R12 144
#define OFFSET_R13 152
#define OFFSET_R14 160
#define OFFSET_R15 168

#endif
