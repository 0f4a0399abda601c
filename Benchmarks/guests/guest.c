// A guest that serves sockets which its host gives it, as published programs do: it makes them
// nonblocking, waits for all of them in `poll_oneoff`, and expects that a write takes everything.
// `build` makes guest.wasm of it.
//
//     guest echo   writes back what it reads from socket 3, until its end
//     guest eager  the same, and asks for ever whether it may write, as programs of tokio do
//     guest relay  copies between the sockets 3 and 4, in pieces of 16 KiB, until one ends
//     guest pour   writes to socket 3 for ever and reads nothing
//
// A byte or the end of the last socket (4 for echo, 5 for relay) ends it, if there is such a socket.

#include <stdlib.h>
#include <string.h>
#include <wasi/api.h>

static char buffer[16384];

// What the exit code says.
enum { failed_poll = 2, failed_read, short_write, failed_write, failed_flags };

static int exists(__wasi_fd_t fd)
{
    __wasi_fdstat_t status;
    return __wasi_fd_fdstat_get(fd, &status) == 0;
}

static void make_nonblocking(__wasi_fd_t fd)
{
    __wasi_fdstat_t status;
    if (__wasi_fd_fdstat_get(fd, &status) != 0
        || status.fs_filetype != __WASI_FILETYPE_SOCKET_STREAM
        || __wasi_fd_fdstat_set_flags(fd, __WASI_FDFLAGS_NONBLOCK) != 0)
        exit(failed_flags);
}

// Copies what there is; 0 at the end of `from`.
static int copy(__wasi_fd_t from, __wasi_fd_t to)
{
    for (;;) {
        __wasi_iovec_t in = {(uint8_t *)buffer, sizeof buffer};
        __wasi_size_t count, written;
        __wasi_errno_t error = __wasi_fd_read(from, &in, 1, &count);
        if (error == __WASI_ERRNO_AGAIN) return 1;
        if (error) exit(failed_read);
        if (count == 0) return 0;
        __wasi_ciovec_t out = {(uint8_t *)buffer, count};
        if (__wasi_fd_write(to, &out, 1, &written)) exit(failed_write);
        if (written != count) exit(short_write);
    }
}

static void pour(void)
{
    memset(buffer, 'x', sizeof buffer);
    for (;;) {
        __wasi_ciovec_t out = {(uint8_t *)buffer, sizeof buffer};
        __wasi_size_t written;
        if (__wasi_fd_write(3, &out, 1, &written)) exit(failed_write);
        if (written != sizeof buffer) exit(short_write);
    }
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "echo";
    int relays = strcmp(mode, "relay") == 0, is_eager = strcmp(mode, "eager") == 0;
    __wasi_fd_t sockets = relays ? 2 : 1, cancel = 3 + sockets;
    __wasi_subscription_t wanted[6];
    __wasi_event_t events[6];
    int count = 0;
    memset(wanted, 0, sizeof wanted);
    for (__wasi_fd_t fd = 3; fd <= cancel; fd++) {
        if (fd == cancel && !exists(fd)) break;
        make_nonblocking(fd);
        for (int writes = 0; writes <= is_eager; writes++) {
            wanted[count].userdata = fd;
            wanted[count].u.tag = writes ? __WASI_EVENTTYPE_FD_WRITE : __WASI_EVENTTYPE_FD_READ;
            wanted[count++].u.u.fd_read.file_descriptor = fd;
        }
    }
    if (strcmp(mode, "pour") == 0) pour();
    for (;;) {
        __wasi_size_t ready;
        if (__wasi_poll_oneoff(wanted, events, count, &ready) || ready == 0) exit(failed_poll);
        for (__wasi_size_t i = 0; i < ready; i++) {
            if (events[i].error) exit(failed_poll);
            if (events[i].type != __WASI_EVENTTYPE_FD_READ) continue;
            __wasi_fd_t fd = events[i].userdata;
            if (fd == cancel) return 0;
            if (!copy(fd, relays ? 7 - fd : fd)) return 0;
        }
    }
}
