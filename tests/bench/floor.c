/* The floor: the least work a single-threaded epoll server can do for a request on this kernel.
 *
 * It reads every ready socket once, counts the requests in the bytes without parsing them, and then
 * writes "+OK\r\n" for each, one write a socket. No table, no allocation, no command. What it costs is
 * the kernel's price for moving the bytes, which no server of this shape escapes; a real server's CPU
 * per request less the floor's is what the program itself adds (its "own cost").
 *
 * Reads come before writes, as in the servers it is compared with: answering each socket at once
 * would wake the client after every reply and change how both sides batch, hence what is measured.
 *
 * Build: cc -O3 -march=native -o floor floor.c     Run: ./floor PORT
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_EVENTS = 1024, MAX_FD = 65536, INPUT_BYTES = 1 << 20, REPLY_BYTES = 5 };

static char input[INPUT_BYTES];
/* Enough for any read, since it cannot hold more requests than bytes. */
static char replies[INPUT_BYTES * REPLY_BYTES];
static bool ended_with_star[MAX_FD];

/* Requests that start in `bytes`. A request opens with '*' and a digit; the argument "*" of
 * `XADD key * ...` is a '*' before CR and does not count. A '*' that ends a read is decided by the
 * first byte of the next. The loop has no branch, so the compiler makes vector code of it. */
static size_t count_requests(int fd, const char *bytes, size_t len) {
    size_t requests = ended_with_star[fd] && bytes[0] != '\r';
    for (size_t i = 0; i + 1 < len; i++) requests += (bytes[i] == '*') & (bytes[i + 1] != '\r');
    ended_with_star[fd] = bytes[len - 1] == '*';
    return requests;
}

/* A full socket buffer is waited for by trying again: the load generator always reads. */
static void reply(int fd, size_t requests) {
    size_t total = requests * REPLY_BYTES, sent = 0;
    while (sent < total) {
        ssize_t written = write(fd, replies + sent, total - sent);
        if (written > 0) sent += (size_t)written;
        else if (written < 0 && errno != EAGAIN && errno != EINTR) return;
    }
}

static int listen_on_loopback(int port) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 511)) {
        perror("floor: listen");
        exit(1);
    }
    return fd;
}

static void accept_one(int epoll, int listener) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK), on = 1;
    if (fd < 0) return;
    if (fd >= MAX_FD) {
        close(fd);
        return;
    }
    ended_with_star[fd] = false;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

int main(int argc, char **argv) {
    if (argc != 2) return fprintf(stderr, "usage: floor PORT\n"), 2;
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < sizeof replies; i += REPLY_BYTES) memcpy(replies + i, "+OK\r\n", REPLY_BYTES);

    int listener = listen_on_loopback(atoi(argv[1])), epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, ready[MAX_EVENTS];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);

    struct { int fd; size_t requests; } pending[MAX_EVENTS];
    for (;;) {
        int events = epoll_wait(epoll, ready, MAX_EVENTS, -1), waiting = 0;
        for (int i = 0; i < events; i++) {
            int fd = ready[i].data.fd;
            if (fd == listener) {
                accept_one(epoll, listener);
                continue;
            }
            ssize_t len = read(fd, input, sizeof input);
            if (len <= 0) {
                close(fd);
                continue;
            }
            pending[waiting].fd = fd;
            pending[waiting++].requests = count_requests(fd, input, (size_t)len);
        }
        for (int i = 0; i < waiting; i++) reply(pending[i].fd, pending[i].requests);
    }
}
