// A transport of v0 that copies, as the published ones do: nonblocking descriptors, poll_oneoff with
// three subscriptions, pieces of 16 KiB.

#include <stdint.h>
#include <wasi/api.h>

__attribute__((import_module("env"), import_name("host_dial"))) int32_t host_dial(void);
__attribute__((import_module("env"), import_name("host_accept"))) int32_t host_accept(void);

static int32_t near_side, far_side, cancel;
static uint8_t buffer[16384];

#define EXPORT(name) __attribute__((export_name(name)))

EXPORT("_water_v0") void version(void) {}
EXPORT("_water_init") int32_t initialise(void) { return 0; }
EXPORT("_water_dial") int32_t dial(int32_t caller) {
    near_side = caller;
    return far_side = host_dial();
}
EXPORT("_water_accept") int32_t accept_peer(int32_t caller) {
    near_side = caller;
    return far_side = host_accept();
}
EXPORT("_water_associate") int32_t associate(void) {
    near_side = host_accept();
    if (near_side < 0) return near_side;
    far_side = host_dial();
    return far_side < 0 ? far_side : 0;
}
EXPORT("_water_cancel_with") int32_t cancel_with(int32_t descriptor) {
    cancel = descriptor;
    return 0;
}

// Copies what there is; 0 at the end.
static int copy(int32_t from, int32_t to) {
    for (;;) {
        __wasi_iovec_t in = {buffer, sizeof buffer};
        __wasi_size_t count;
        __wasi_errno_t error = __wasi_fd_read(from, &in, 1, &count);
        if (error == __WASI_ERRNO_AGAIN) return 1;
        if (error || count == 0) return 0;
        __wasi_ciovec_t out = {buffer, count};
        __wasi_size_t written;
        if (__wasi_fd_write(to, &out, 1, &written) || written != count) return 0;
        if (count < sizeof buffer) return 1;
    }
}

EXPORT("_water_worker") int32_t worker(void) {
    int32_t descriptors[3] = {cancel, near_side, far_side};
    __wasi_subscription_t in[3];
    __wasi_event_t events[3];
    for (int i = 0; i < 3; i++) {
        (void)!__wasi_fd_fdstat_set_flags(descriptors[i], __WASI_FDFLAGS_NONBLOCK);
        in[i] = (__wasi_subscription_t){.userdata = i};
        in[i].u.tag = __WASI_EVENTTYPE_FD_READ;
        in[i].u.u.fd_read.file_descriptor = descriptors[i];
    }
    for (;;) {
        __wasi_size_t count;
        if (__wasi_poll_oneoff(in, events, 3, &count)) return -29;
        for (__wasi_size_t i = 0; i < count; i++) {
            switch (events[i].userdata) {
            case 0: return -11;
            case 1: if (!copy(near_side, far_side)) return 0; break;
            case 2: if (!copy(far_side, near_side)) return 0; break;
            }
        }
    }
}
