/* The socket options that an image keeps: level, name, size of the value. */
#ifndef CKPT_FORMAT_SOCKET_OPTIONS_H
#define CKPT_FORMAT_SOCKET_OPTIONS_H

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct socket_option {
  int32_t level;
  int32_t name;
  uint32_t size;
};

static const struct socket_option socket_options[] = {
    {SOL_SOCKET, SO_SNDBUF, 4},     {SOL_SOCKET, SO_RCVBUF, 4},
    {SOL_SOCKET, SO_RCVLOWAT, 4},   {SOL_SOCKET, SO_RCVTIMEO, 16},
    {SOL_SOCKET, SO_SNDTIMEO, 16},  {SOL_SOCKET, SO_PRIORITY, 4},
    {SOL_SOCKET, SO_PASSCRED, 4},   {SOL_SOCKET, SO_PEEK_OFF, 4},
    {SOL_SOCKET, SO_TIMESTAMP, 4},  {SOL_SOCKET, SO_REUSEADDR, 4},
    {SOL_SOCKET, SO_REUSEPORT, 4},  {SOL_SOCKET, SO_BROADCAST, 4},
    {IPPROTO_IP, IP_TOS, 4},        {IPPROTO_IP, IP_TTL, 4},
    {IPPROTO_IPV6, IPV6_V6ONLY, 4}, {IPPROTO_TCP, TCP_NODELAY, 4},
    {IPPROTO_TCP, TCP_KEEPIDLE, 4}, {IPPROTO_TCP, TCP_KEEPINTVL, 4},
    {IPPROTO_TCP, TCP_KEEPCNT, 4},  {IPPROTO_TCP, TCP_DEFER_ACCEPT, 4},
    {SOL_SOCKET, SO_LINGER, 8},     {SOL_SOCKET, SO_KEEPALIVE, 4},
    {SOL_SOCKET, SO_OOBINLINE, 4},  {IPPROTO_TCP, TCP_CORK, 4},
};

enum { SOCKET_OPTIONS = sizeof socket_options / sizeof socket_options[0] };

#endif
