/* Where a TCP socket that is not connected yet is going: only the kernel's table of all of them tells. */
#include "core/tcp_table.h"

#include <string.h>

#include "core/text.h"
#include "sockets.h"
#include "tcp.h"

long find_destination(struct looking *l, struct ckpt_socket *socket) {
  struct tcp_table table;
  struct tcp_row row;
  long result = tcp_table_open(&table, socket->domain);
  if (result < 0)
    return fail(l->c, result, "%s: %s", table.path, text_errno(result));
  while (socket->peer_address_size == 0 && tcp_table_next(&table, &row))
    if (row.inode == socket->inode) {
      memcpy(socket->peer_address, row.there, row.address_size);
      socket->peer_address_size = row.address_size;
    }
  tcp_table_close(&table);
  return table.lines.error;
}
