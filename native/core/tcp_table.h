/* The kernel's table of all TCP sockets of one family. */
#ifndef CKPT_TCP_TABLE_H
#define CKPT_TCP_TABLE_H

#include "proc.h"

enum { TCP_TABLE_ROOM = 4096, TCP_TABLE_ADDRESS = 32 };

struct tcp_table {
  struct proc_lines lines;
  const char *path;
  int domain; /* AF_INET or AF_INET6 */
  char buffer[TCP_TABLE_ROOM];
};

struct tcp_row {
  /* As getsockname and getpeername tell them. */
  uint8_t here[TCP_TABLE_ADDRESS];
  uint8_t there[TCP_TABLE_ADDRESS];
  uint32_t address_size;
  uint32_t state;
  uint64_t inode; /* 0 when no program has it any more */
};

/* 0, or a negative errno, about table->path. */
long tcp_table_open(struct tcp_table *table, int domain);
/* False at the end or after an error (table->lines.error < 0). */
bool tcp_table_next(struct tcp_table *table, struct tcp_row *row);
void tcp_table_close(struct tcp_table *table);

#endif
