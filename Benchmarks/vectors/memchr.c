// Searching bytes: compare 16 at once, stop where one is equal.

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#ifdef __wasm_simd128__
#include <wasm_simd128.h>
#endif

enum { count = 1 << 16, rounds = 10000 };

static uint8_t text[count + 16];

__attribute__((noinline)) static size_t find(const uint8_t *bytes, uint8_t wanted, size_t count) {
    size_t i = 0;
#ifdef __wasm_simd128__
    v128_t pattern = wasm_u8x16_splat(wanted);
    for (; i + 16 <= count; i += 16) {
        v128_t equal = wasm_i8x16_eq(wasm_v128_load(bytes + i), pattern);
        if (wasm_v128_any_true(equal))
            return i + (size_t)__builtin_ctz(wasm_i8x16_bitmask(equal));
    }
#endif
    for (; i < count; i++)
        if (bytes[i] == wanted) return i;
    return count;
}

int main(void) {
    for (int i = 0; i < count; i++) text[i] = (uint8_t)(i % 251);
    uint32_t sum = 0;
    for (int round = 0; round < rounds; round++) {
        text[count - 1 - round % 1000] = 255;
        sum = sum * 31 + (uint32_t)find(text, 255, count);
        text[count - 1 - round % 1000] = 0;
    }
    printf("memchr %u\n", sum);
}
