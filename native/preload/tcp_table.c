/* Where a TCP socket that is not connected yet is going: only the kernel's table of all of them tells. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "core/sys.h"
#include "core/text.h"
#include "sockets.h"
#include "tcp.h"

enum { LINE_MOST = 4096, INODE_FIELD = 9 };

static void skip_fields(const char **at, int count) {
  for (text_skip_spaces(at); count > 0; count--) {
    while (**at && **at != ' ')
      (*at)++;
    text_skip_spaces(at);
  }
}

uint32_t take_hex_digits(const char **at, int count) {
  char digits[9] = "";
  const char *digit = digits;
  for (int i = 0; i < count && **at; i++)
    digits[i] = (char)(*(*at)++ | ' '); /* some are capitals */
  return (uint32_t)text_take_hex(&digit);
}

/* Each four bytes of it are one number of this machine's. */
static void take_address(struct ckpt_socket *socket, const char *at) {
  struct sockaddr_in four = {.sin_family = AF_INET};
  struct sockaddr_in6 six = {.sin6_family = AF_INET6};
  bool is_four = socket->domain == AF_INET;
  if (is_four)
    four.sin_addr.s_addr = take_hex_digits(&at, 8);
  for (int i = 0; i < 4 && !is_four; i++)
    six.sin6_addr.s6_addr32[i] = take_hex_digits(&at, 8);
  at += *at == ':';
  four.sin_port = six.sin6_port = htons((uint16_t)take_hex_digits(&at, 4));
  socket->peer_address_size = is_four ? sizeof four : sizeof six;
  memcpy(socket->peer_address, is_four ? (void *)&four : (void *)&six, socket->peer_address_size);
}

/* "0: 0100007F:9C40 0100007F:1F90 02 00000001:00000000 01:00000063 00000000 0 0 4711 2 ..." */
long find_destination(struct looking *l, struct ckpt_socket *socket) {
  const char *path = socket->domain == AF_INET ? "/proc/self/net/tcp" : "/proc/self/net/tcp6";
  struct proc_lines lines;
  char buffer[LINE_MOST];
  long result = proc_lines_open(&lines, path, buffer, sizeof buffer);
  if (result < 0)
    return fail(l->c, result, "%s: %s", path, text_errno(result));
  for (const char *line; socket->peer_address_size == 0 && (line = proc_lines_next(&lines));) {
    const char *inode = line;
    skip_fields(&inode, INODE_FIELD);
    skip_fields(&line, 2);
    if (text_take_decimal(&inode) == socket->inode)
      take_address(socket, line);
  }
  proc_lines_close(&lines);
  return lines.error;
}
