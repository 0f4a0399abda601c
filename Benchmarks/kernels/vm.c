// An interpreter within the interpreter: a stack machine whose loop is one switch (br_table).

#include <stdint.h>
#include <stdio.h>

enum Operation {
    push, load, store, add, subtract, multiply, divide, modulo, and, xor, shiftLeft, shiftRight,
    less, equal, jump, jumpIfZero, duplicate, swap, drop, stop,
};

enum Variable { i, n, s, variableCount };

// while (i < n) {
//     if (i % 3 == 0) s = s * 31 + i; else s = (s ^ i << 5) - (s >> 3);
//     i = i + 1;
// }
enum Label { start = 0, otherwise = 29, after = 45, end = 55 };
static const int32_t program[] = {
    load, i, load, n, less, jumpIfZero, end,
    load, i, push, 3, modulo, push, 0, equal, jumpIfZero, otherwise,
    load, s, push, 31, multiply, load, i, add, store, s, jump, after,
    load, s, load, i, push, 5, shiftLeft, xor, load, s, push, 3, shiftRight, subtract, store, s,
    push, 1, load, i, swap, add, store, i, jump, start,
    stop,
};

static uint64_t steps;

static void run(int32_t *variables) {
    int32_t stack[16], *top = stack;
    const int32_t *next = program;
    for (;; steps++) {
        switch ((enum Operation)*next++) {
        case push: *top++ = *next++; break;
        case load: *top++ = variables[*next++]; break;
        case store: variables[*next++] = *--top; break;
        case add: top--, top[-1] = (uint32_t)top[-1] + (uint32_t)top[0]; break;
        case subtract: top--, top[-1] = (uint32_t)top[-1] - (uint32_t)top[0]; break;
        case multiply: top--, top[-1] = (uint32_t)top[-1] * (uint32_t)top[0]; break;
        case divide: top--, top[-1] /= top[0]; break;
        case modulo: top--, top[-1] %= top[0]; break;
        case and: top--, top[-1] &= top[0]; break;
        case xor: top--, top[-1] ^= top[0]; break;
        case shiftLeft: top--, top[-1] = (uint32_t)top[-1] << (top[0] & 31); break;
        case shiftRight: top--, top[-1] = (uint32_t)top[-1] >> (top[0] & 31); break;
        case less: top--, top[-1] = top[-1] < top[0]; break;
        case equal: top--, top[-1] = top[-1] == top[0]; break;
        case jump: next = program + *next; break;
        case jumpIfZero: next = *--top ? next + 1 : program + *next; break;
        case duplicate: *top = top[-1], top++; break;
        case swap: {
            int32_t swapped = top[-1];
            top[-1] = top[-2];
            top[-2] = swapped;
            break;
        }
        case drop: top--; break;
        case stop: return;
        }
    }
}

int main(void) {
    int32_t variables[variableCount] = {[n] = 1000000};
    run(variables);
    printf("vm %08x %llu\n", (unsigned)variables[s], (unsigned long long)steps);
}
