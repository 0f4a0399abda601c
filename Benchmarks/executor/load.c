// Sends requests over kept connections, and prints how long the responses took, as JSON.
//
//     load PORT RATE SECONDS CONNECTIONS FILE...
//
// Each file holds one whole request; connection N sends file N modulo their number, again and again.
// RATE is requests a second, sent at fixed times: latency counts from the time at which a request
// was due, so that a server that stops for a while is not measured by fewer requests. With a rate
// of 0, each connection sends its next request as soon as it has the response.

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct connection {
    int socket;
    const char *request;
    size_t length, sent;
    double due;
    char input[1 << 16];
    size_t count;
};

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void fail(const char *what) {
    fprintf(stderr, "load: %s\n", what);
    exit(1);
}

static int compare(const void *one, const void *other) {
    float left = *(const float *)one, right = *(const float *)other;
    return left < right ? -1 : left > right;
}

static char *read_file(const char *path, size_t *length) {
    struct stat status;
    int file = open(path, O_RDONLY);
    if (file < 0 || fstat(file, &status) < 0) fail(path);
    char *bytes = malloc(status.st_size + 1);
    for (size_t done = 0; done < (size_t)status.st_size;) {
        ssize_t count = read(file, bytes + done, status.st_size - done);
        if (count <= 0) fail(path);
        done += count;
    }
    close(file);
    *length = status.st_size;
    return bytes;
}

// Sends what the kernel takes.
static void push(struct connection *one) {
    while (one->sent < one->length) {
        ssize_t count = send(one->socket, one->request + one->sent, one->length - one->sent, MSG_NOSIGNAL);
        if (count < 0 && errno == EAGAIN) return;
        if (count <= 0) fail("the server closed a connection");
        one->sent += count;
    }
}

static void begin(struct connection *one, double due) {
    one->due = due;
    one->sent = 0;
    one->count = 0;
    push(one);
}

// 0 if the response is not complete, else its status.
static int finished(struct connection *one) {
    one->input[one->count] = 0;
    char *end = strstr(one->input, "\r\n\r\n");
    if (!end) return 0;
    size_t body = 0;
    char *field = strcasestr(one->input, "\r\ncontent-length:");
    if (field && field < end) body = strtoul(field + 17, NULL, 10);
    if (one->count < end + 4 - one->input + body) return 0;
    return atoi(one->input + 9);
}

int main(int argc, char **argv) {
    if (argc < 6) fail("usage: load PORT RATE SECONDS CONNECTIONS FILE...");
    double rate = atof(argv[2]), seconds = atof(argv[3]);
    int connections = atoi(argv[4]);
    struct connection *all = calloc(connections, sizeof *all);
    struct connection **idle = calloc(connections, sizeof *idle);
    int poll = epoll_create1(0), idle_count = 0;
    for (int index = 0; index < connections; index++) {
        struct connection *one = &all[index];
        one->request = read_file(argv[5 + index % (argc - 5)], &one->length);
        one->socket = socket(AF_INET, SOCK_STREAM, 0);
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (connect(one->socket, (void *)&address, sizeof address) < 0) fail("cannot connect");
        int on = 1;
        setsockopt(one->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        fcntl(one->socket, F_SETFL, O_NONBLOCK);
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = one};
        epoll_ctl(poll, EPOLL_CTL_ADD, one->socket, &event);
        one->sent = one->length;
        idle[idle_count++] = one;
    }
    size_t capacity = 1 << 20, done = 0, failed = 0, sent = 0;
    float *times = malloc(capacity * sizeof *times);
    double start = now(), end = start + seconds;
    size_t wanted = rate > 0 ? (size_t)(rate * seconds) : SIZE_MAX;
    double last = start;
    while (1) {
        double time = now();
        while (idle_count > 0 && sent < wanted && (rate > 0 ? start + sent / rate <= time : time < end)) {
            begin(idle[--idle_count], rate > 0 ? start + sent / rate : time);
            sent++;
        }
        if (done == sent && (rate > 0 ? sent == wanted : time >= end)) break;
        if (time > end + 60) fail("responses are missing a minute after the end");
        int wait = 100;
        if (rate > 0 && idle_count > 0 && sent < wanted) {
            double left = start + sent / rate - time;
            wait = left <= 0 ? 0 : left < 0.001 ? 0 : (int)(left * 1000);
        }
        struct epoll_event events[256];
        int count = epoll_wait(poll, events, 256, wait);
        for (int index = 0; index < count; index++) {
            struct connection *one = events[index].data.ptr;
            push(one);
            while (1) {
                ssize_t got = recv(one->socket, one->input + one->count, sizeof one->input - 1 - one->count, 0);
                if (got < 0 && errno == EAGAIN) break;
                if (got <= 0) fail("the server closed a connection");
                one->count += got;
                if (one->count == sizeof one->input - 1) fail("a response is too long");
            }
            int status = finished(one);
            if (status == 0) continue;
            if (status < 200 || status > 299) {
                if (!failed) fprintf(stderr, "%s\n", one->input);
                failed++;
            }
            if (done == capacity) times = realloc(times, (capacity *= 2) * sizeof *times);
            last = now();
            times[done++] = last - one->due;
            one->count = 0;
            idle[idle_count++] = one;
        }
    }
    if (!done) fail("no response");
    qsort(times, done, sizeof *times, compare);
    printf("{\"count\": %zu, \"failed\": %zu, \"rate\": %.1f, \"p50\": %.3f, \"p99\": %.3f, \"p999\": %.3f, \"max\": %.3f}\n",
        done, failed, done / (last - start), times[done / 2] * 1e3, times[done * 99 / 100] * 1e3,
        times[done * 999 / 1000] * 1e3, times[done - 1] * 1e3);
}
