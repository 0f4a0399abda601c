// Clocks: their resolution and order, sleeping, and waiting for several events with poll_oneoff.

#include "report.h"

#include <time.h>
#include <unistd.h>
#include <wasi/api.h>

static __wasi_timestamp_t now(__wasi_clockid_t clock) {
    __wasi_timestamp_t time = 0;
    if (__wasi_clock_time_get(clock, 1, &time)) printf("clock_time_get failed\n");
    return time;
}

static __wasi_subscription_t timer(int tag, __wasi_timestamp_t timeout, int isAbsolute) {
    __wasi_subscription_t subscription = {.userdata = (__wasi_userdata_t)tag};
    subscription.u.tag = __WASI_EVENTTYPE_CLOCK;
    subscription.u.u.clock.id = __WASI_CLOCKID_MONOTONIC;
    subscription.u.u.clock.timeout = timeout;
    subscription.u.u.clock.flags = isAbsolute ? __WASI_SUBCLOCKFLAGS_SUBSCRIPTION_CLOCK_ABSTIME : 0;
    return subscription;
}

int main(void) {
    __wasi_timestamp_t resolution = 0;
    report("resolution, realtime", __wasi_clock_res_get(__WASI_CLOCKID_REALTIME, &resolution));
    check("not zero, at most a second", resolution > 0 && resolution <= 1000000000);
    report("resolution, monotonic", __wasi_clock_res_get(__WASI_CLOCKID_MONOTONIC, &resolution));
    check("not zero, at most a second", resolution > 0 && resolution <= 1000000000);
    check("it is later than 2020", now(__WASI_CLOCKID_REALTIME) / 1000000000 > 1577836800);
    check("time() agrees", time(NULL) > 1577836800);

    __wasi_timestamp_t start = now(__WASI_CLOCKID_MONOTONIC), last = start;
    int isOrdered = 1;
    for (int i = 0; i < 1000; i++) {
        __wasi_timestamp_t next = now(__WASI_CLOCKID_MONOTONIC);
        isOrdered &= next >= last;
        last = next;
    }
    check("time does not run backwards", isOrdered);

    const __wasi_timestamp_t millisecond = 1000000;
    start = now(__WASI_CLOCKID_MONOTONIC);
    report("usleep", usleep(30000));
    __wasi_timestamp_t slept = now(__WASI_CLOCKID_MONOTONIC) - start;
    check("slept at least 30 ms", slept >= 30 * millisecond);
    check("slept less than 10 s", slept < 10000 * millisecond);

    // Of two timers only the earlier one has struck.
    __wasi_subscription_t timers[] = {
        timer(1, 60000 * millisecond, 0),
        timer(2, 10 * millisecond, 0),
    };
    __wasi_event_t events[2];
    __wasi_size_t count = 0;
    report("poll_oneoff", __wasi_poll_oneoff(timers, events, 2, &count));
    printf("%zu events\n", count);
    printf("event %llu, type %d, error %d\n", events[0].userdata, events[0].type, events[0].error);

    timers[0] = timer(3, now(__WASI_CLOCKID_MONOTONIC) + 10 * millisecond, 1);
    report("poll_oneoff, absolute", __wasi_poll_oneoff(timers, events, 1, &count));
    printf("%zu events, the first %llu\n", count, events[0].userdata);
    timers[0] = timer(4, 1, 1);
    report("poll_oneoff, in the past", __wasi_poll_oneoff(timers, events, 1, &count));
    printf("%zu events, the first %llu\n", count, events[0].userdata);
    check("poll_oneoff of nothing fails", __wasi_poll_oneoff(timers, events, 0, &count) != 0);
    report("sched_yield", __wasi_sched_yield());
    return 0;
}
