// A server that sends back what it receives, to many connections at once. It uses the listening
// socket that it finds behind its folders and ends when it has served as many connections as its
// argument says.

#include "report.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { most = 512, size = 4096 };

struct connection {
    int number;
    // What was received and not sent back yet.
    size_t start, end;
    char bytes[size];
};

static struct connection connections[most];
static struct pollfd waiting[most + 1];
static size_t open_count;
static long long total;

static int find_listener(void) {
    for (int number = 3; number < 16; number++) {
        struct stat status;
        if (fstat(number, &status) == 0 && S_ISSOCK(status.st_mode)) return number;
    }
    return -1;
}

// Reads or writes as far as goes without waiting; false when the connection is over.
static int serve(struct connection *c) {
    if (c->start == c->end) {
        ssize_t count = recv(c->number, c->bytes, size, 0);
        if (count <= 0) return count < 0 && errno == EAGAIN;
        c->start = 0;
        c->end = count;
    }
    ssize_t count = send(c->number, c->bytes + c->start, c->end - c->start, 0);
    if (count < 0) return errno == EAGAIN;
    c->start += count;
    total += count;
    return 1;
}

int main(int argc, char **argv) {
    int listener = find_listener();
    if (listener < 0) {
        puts("no socket to listen on");
        return 3;
    }
    long expected = argc > 1 ? strtol(argv[1], NULL, 10) : 1;
    long accepted = 0, served = 0;
    fcntl(listener, F_SETFL, fcntl(listener, F_GETFL) | O_NONBLOCK);

    while (served < expected) {
        for (size_t i = 0; i < open_count; i++) {
            struct connection *c = &connections[i];
            waiting[i].fd = c->number;
            waiting[i].events = c->start == c->end ? POLLIN : POLLOUT;
            waiting[i].revents = 0;
        }
        int accepts = accepted < expected && open_count < most;
        waiting[open_count] = (struct pollfd){listener, POLLIN, 0};
        size_t polled = open_count;
        if (poll(waiting, polled + accepts, -1) < 0) return 1;

        if (accepts && waiting[polled].revents) {
            int number = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
            if (number >= 0) {
                connections[open_count++] = (struct connection){.number = number};
                accepted++;
            } else if (errno != EAGAIN) {
                return 2;
            }
        }
        for (size_t i = polled; i-- > 0;) {
            if (!waiting[i].revents || serve(&connections[i])) continue;
            close(connections[i].number);
            connections[i] = connections[--open_count];
            served++;
        }
    }
    printf("%ld connections, %lld bytes\n", served, total);
    return 0;
}
