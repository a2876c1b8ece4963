/* The physical limit without batching: one write() per delivery and nothing else.
 * Text frames come back to every connection as they are; everything that is not needed to measure that is left out. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FDS = 65536, BUFFER = 65536, EVENTS = 512 };
struct peer { int fd, open; size_t have; unsigned char *in; };
static struct peer *by_fd[FDS], *members[FDS];
static int count;

/* SHA-1 (RFC 3174) of a text of at most 119 bytes: what the handshake asks for (RFC 6455 section 1.3). */
static uint32_t rol(uint32_t x, int n) { return x << n | x >> (32 - n); }

static void sha1(const char *text, unsigned char out[20]) {
    unsigned char data[128] = {0};
    uint32_t h[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0}, w[80];
    size_t size = strlen(text), total = size < 56 ? 64 : 128;
    memcpy(data, text, size);
    data[size] = 0x80;
    data[total - 2] = (unsigned char)(size * 8 >> 8);
    data[total - 1] = (unsigned char)(size * 8);
    for (size_t at = 0; at < total; at += 64) {
        uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
        for (int i = 0; i < 80; i++) {
            const unsigned char *p = data + at + 4 * i;
            w[i] = i < 16 ? (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3]
                          : rol(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
            uint32_t f = i < 20   ? ((b & c) | (~b & d)) + 0x5A827999
                         : i < 40 ? (b ^ c ^ d) + 0x6ED9EBA1
                         : i < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8F1BBCDC
                                  : (b ^ c ^ d) + 0xCA62C1D6;
            f += rol(a, 5) + e + w[i];
            e = d, d = c, c = rol(b, 30), b = a, a = f;
        }
        h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
    }
    for (int i = 0; i < 20; i++) out[i] = (unsigned char)(h[i / 4] >> (24 - 8 * (i % 4)));
}

static int upgrade(struct peer *p) {
    static const char name[] = "sec-websocket-key: ", set[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char text[96], accept[29], answer[256];
    unsigned char hash[21] = {0};
    p->in[p->have] = 0;
    if (!strstr((char *)p->in, "\r\n\r\n")) return 0;
    char *key = strcasestr((char *)p->in, name);
    if (!key) return -1;
    snprintf(text, sizeof text, "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key + strlen(name));
    sha1(text, hash);
    for (int i = 0; i < 7; i++) {
        uint32_t bits = hash[3 * i] << 16 | hash[3 * i + 1] << 8 | hash[3 * i + 2];
        for (int j = 0; j < 4; j++) accept[4 * i + j] = set[bits >> (18 - 6 * j) & 63];
    }
    accept[27] = '=', accept[28] = 0;
    int size = snprintf(answer, sizeof answer,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: %s\r\n\r\n", accept);
    p->have = 0;
    p->open = 1;
    members[count++] = p;
    return write(p->fd, answer, size) == size ? 0 : -1;
}

/* Takes the whole frames out of what was read; -1 when the peer wants to close, or sends what no test sends. */
static int frames(struct peer *p) {
    size_t at = 0;
    while (p->have - at >= 6) {
        unsigned char *f = p->in + at, out[4 + 125 + 1024];
        size_t head = (f[1] & 127) == 126 ? 4 : 2, size = head == 4 ? f[2] << 8 | f[3] : f[1] & 127;
        if (size > 1024) return -1;
        if (p->have - at < head + 4 + size) break;
        if ((f[0] & 15) == 8) return -1;
        memcpy(out, f, head);
        out[1] &= 127;
        for (size_t i = 0; i < size; i++) out[head + i] = f[head + 4 + i] ^ f[head + (i & 3)];
        for (int i = 0; i < count; i++)
            if (write(members[i]->fd, out, head + size) != (ssize_t)(head + size)) return -1;
        at += head + 4 + size;
    }
    memmove(p->in, p->in + at, p->have -= at);
    return 0;
}

static void drop(struct peer *p) {
    for (int i = 0; i < count; i++)
        if (members[i] == p) { members[i] = members[--count]; break; }
    by_fd[p->fd] = NULL;
    close(p->fd);
    free(p->in);
    free(p);
}

int main(void) {
    int one = 1, poll = epoll_create1(0), listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event happened[EVENTS], want = {.events = EPOLLIN, .data.fd = listener};
    socklen_t size = sizeof here;
    if (bind(listener, (struct sockaddr *)&here, size) || listen(listener, 2048)) return 1;
    getsockname(listener, (struct sockaddr *)&here, &size);
    printf("ready on http://127.0.0.1:%d\n", ntohs(here.sin_port));
    fflush(stdout);
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &want);
    for (;;) {
        int n = epoll_wait(poll, happened, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            int fd = happened[i].data.fd;
            if (fd == listener) {
                if ((fd = accept(listener, NULL, NULL)) < 0) continue;
                if (fd >= FDS) { close(fd); continue; }
                struct peer *p = by_fd[fd] = malloc(sizeof *p);
                *p = (struct peer){.fd = fd, .in = malloc(BUFFER + 1)};
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                want.data.fd = fd;
                epoll_ctl(poll, EPOLL_CTL_ADD, fd, &want);
                continue;
            }
            struct peer *p = by_fd[fd];
            ssize_t got = p ? read(fd, p->in + p->have, BUFFER - p->have) : 0;
            if (!p) continue;
            if (got > 0) p->have += got;
            if (got <= 0 || (p->open ? frames(p) : upgrade(p)) < 0) drop(p);
        }
    }
}
