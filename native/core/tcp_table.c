#include "tcp_table.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "text.h"

enum { INODE_FIELD = 9 }; /* counted from 0 */

long tcp_table_open(struct tcp_table *table, int domain) {
  table->domain = domain;
  table->path = domain == AF_INET ? "/proc/self/net/tcp" : "/proc/self/net/tcp6";
  return proc_lines_open(&table->lines, table->path, table->buffer, sizeof table->buffer);
}

/* Each four bytes of it are one number of this machine's. */
static void take_address(int domain, const char **at, uint8_t *address) {
  struct sockaddr_in four = {.sin_family = AF_INET};
  struct sockaddr_in6 six = {.sin6_family = AF_INET6};
  bool is_four = domain == AF_INET;
  if (is_four)
    four.sin_addr.s_addr = text_take_hex_digits(at, 8);
  for (int i = 0; i < 4 && !is_four; i++)
    six.sin6_addr.s6_addr32[i] = text_take_hex_digits(at, 8);
  *at += **at == ':';
  four.sin_port = six.sin6_port = htons((uint16_t)text_take_hex_digits(at, 4));
  memcpy(address, is_four ? (void *)&four : (void *)&six, is_four ? sizeof four : sizeof six);
}

static void skip_fields(const char **at, int count) {
  for (text_skip_spaces(at); count > 0; count--) {
    while (**at && **at != ' ')
      (*at)++;
    text_skip_spaces(at);
  }
}

/* "0: 0100007F:9C40 0100007F:1F90 02 00000001:00000000 01:00000063 00000000 0 0 4711 2 ..." */
static void take_row(int domain, const char *line, struct tcp_row *row) {
  const char *inode = line;
  skip_fields(&inode, INODE_FIELD);
  *row = (struct tcp_row){.inode = text_take_decimal(&inode)};
  row->address_size = domain == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
  skip_fields(&line, 1);
  take_address(domain, &line, row->here);
  text_skip_spaces(&line);
  take_address(domain, &line, row->there);
  text_skip_spaces(&line);
  row->state = text_take_hex_digits(&line, 2);
}

bool tcp_table_next(struct tcp_table *table, struct tcp_row *row) {
  for (const char *line; (line = proc_lines_next(&table->lines));) {
    text_skip_spaces(&line);
    if (*line >= '0' && *line <= '9') { /* not the heading */
      take_row(table->domain, line, row);
      return true;
    }
  }
  return false;
}

void tcp_table_close(struct tcp_table *table) {
  proc_lines_close(&table->lines);
}
