// Threads as pthreads make them: stacks of their own, a mutex, a condition, joining; and an exit
// that one thread calls while others wait. Without a C library, since that of Debian has no
// threads: what is needed of it stands here.

#define imported(module, name) __attribute__((import_module(module), import_name(name)))

imported("wasi", "thread-spawn") int thread_spawn(void *start);
imported("wasi_snapshot_preview1", "fd_write") int fd_write(
    int fd, const void *vectors, int count, int *written);
imported("wasi_snapshot_preview1", "proc_exit") _Noreturn void proc_exit(int code);
imported("wasi_snapshot_preview1", "poll_oneoff") int poll_oneoff(
    const void *subscriptions, void *events, int count, int *number);

// MARK: Waiting

static void wait(int *word, int value) { __builtin_wasm_memory_atomic_wait32(word, value, -1); }

static void wake(int *word, int count) { __builtin_wasm_memory_atomic_notify(word, count); }

// 0 is free, 1 taken, 2 taken while others wait.
typedef int mutex;

static void lock(mutex *m) {
    int seen = 0;
    if (__atomic_compare_exchange_n(m, &seen, 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) return;
    while (__atomic_exchange_n(m, 2, __ATOMIC_SEQ_CST) != 0) wait(m, 2);
}

static void unlock(mutex *m) {
    if (__atomic_exchange_n(m, 0, __ATOMIC_SEQ_CST) == 2) wake(m, 1);
}

// Counts the signals.
typedef int condition;

static void await(condition *c, mutex *m) {
    int seen = __atomic_load_n(c, __ATOMIC_SEQ_CST);
    unlock(m);
    wait(c, seen);
    lock(m);
}

static void signal_all(condition *c) {
    __atomic_fetch_add(c, 1, __ATOMIC_SEQ_CST);
    wake(c, 1 << 30);
}

// MARK: Threads

enum { most = 16, stack_size = 16384 };

struct thread {
    // First: threads.S loads it.
    char *stack;
    int (*body)(int);
    int argument, result, id, is_over;
};

static struct thread threads[most];
static char stacks[most][stack_size] __attribute__((aligned(16)));

// Called by threads.S, which sets up the stack.
void run_thread(int id, struct thread *self) {
    self->id = id;
    self->result = self->body(self->argument);
    __atomic_store_n(&self->is_over, 1, __ATOMIC_SEQ_CST);
    wake(&self->is_over, 1);
}

static int start(int index, int (*body)(int)) {
    threads[index] = (struct thread){stacks[index] + stack_size, body, index, 0, 0, 0};
    return thread_spawn(&threads[index]);
}

static int join(int index) {
    while (!__atomic_load_n(&threads[index].is_over, __ATOMIC_SEQ_CST))
        wait(&threads[index].is_over, 0);
    return threads[index].result;
}

// MARK: Output

static void print(const char *text) {
    int length = 0, written;
    while (text[length]) length++;
    struct { const char *start; int length; } vector = {text, length};
    fd_write(1, &vector, 1, &written);
}

static void report(const char *what, int value) {
    char digits[12], *end = digits + 11;
    *end = 0;
    do *--end = '0' + value % 10;
    while (value /= 10);
    print(what);
    print(": ");
    print(end);
    print("\n");
}

// MARK: The program

static mutex counting;
static int counter;

static int count(int index) {
    for (int i = 0; i < 2000; i++) {
        lock(&counting);
        counter++;
        unlock(&counting);
    }
    return index * index;
}

static mutex queueing;
static condition queue_changed;
static int queue[4], first, queued, taken, sum;

static int consume(int index) {
    for (int mine = 0;; mine++) {
        lock(&queueing);
        while (queued == 0) await(&queue_changed, &queueing);
        int item = queue[first];
        first = (first + 1) % 4;
        queued--;
        if (item < 0) {
            unlock(&queueing);
            signal_all(&queue_changed);
            return mine;
        }
        taken++;
        sum += item;
        unlock(&queueing);
        signal_all(&queue_changed);
    }
}

static void produce(int item) {
    lock(&queueing);
    while (queued == 4) await(&queue_changed, &queueing);
    queue[(first + queued++) % 4] = item;
    unlock(&queueing);
    signal_all(&queue_changed);
}

static int depth(int levels) {
    volatile char room[32] = {levels};
    return levels == 0 ? 0 : depth(levels - 1) + 1 + room[1];
}

static int recurse(int index) { return depth(50 + index); }

static int wait_forever(int index) {
    static int never;
    for (;;) wait(&never, 0);
}

static int sleep_forever(int index) {
    static char clock[48] __attribute__((aligned(8)));
    static char events[32 * most] __attribute__((aligned(8)));
    int number;
    *(int *)(clock + 16) = 1;
    *(long long *)(clock + 24) = -1;
    poll_oneoff(clock, events + 32 * index, 1, &number);
    return 0;
}

static int leave(int index) { proc_exit(33); }

void _start(void) {
    int result = 0;
    for (int i = 0; i < 8; i++)
        if (start(i, count) <= 0) print("not started\n");
    for (int i = 0; i < 8; i++) result += join(i);
    report("counter", counter);
    report("results", result);
    int different = 1;
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < i; j++) different &= threads[i].id != threads[j].id;
    report("different ids", different);

    for (int i = 0; i < 3; i++) start(i, consume);
    for (int i = 1; i <= 300; i++) produce(i);
    for (int i = 0; i < 3; i++) produce(-1);
    result = 0;
    for (int i = 0; i < 3; i++) result += join(i);
    report("taken", taken);
    report("by all", result);
    report("sum", sum);

    result = 0;
    for (int i = 0; i < 8; i++) start(i, recurse);
    for (int i = 0; i < 8; i++) result += join(i);
    report("depths", result);

    start(0, wait_forever);
    start(1, sleep_forever);
    start(2, sleep_forever);
    start(3, leave);
    join(0);
    print("not reached\n");
}
