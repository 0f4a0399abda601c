// Four points of the plane at once; mask and count instead of a branch each.

#include <stdint.h>
#include <stdio.h>
#ifdef __wasm_simd128__
#include <wasm_simd128.h>
#endif

enum { size = 480, limit = 800 };

__attribute__((noinline)) static uint32_t row(float y) {
    uint32_t sum = 0;
#ifdef __wasm_simd128__
    v128_t cy = wasm_f32x4_splat(y), four = wasm_f32x4_const_splat(4);
    for (int x = 0; x < size; x += 4) {
        v128_t column = wasm_i32x4_add(wasm_i32x4_splat(x), wasm_i32x4_const(0, 1, 2, 3));
        v128_t cx = wasm_f32x4_sub(
            wasm_f32x4_mul(wasm_f32x4_convert_i32x4(column), wasm_f32x4_const_splat(3.0f / size)),
            wasm_f32x4_const_splat(2));
        v128_t a = wasm_f32x4_const_splat(0), b = a, count = a;
        for (int i = 0; i < limit; i++) {
            v128_t aa = wasm_f32x4_mul(a, a), bb = wasm_f32x4_mul(b, b);
            v128_t inside = wasm_f32x4_le(wasm_f32x4_add(aa, bb), four);
            if (!wasm_v128_any_true(inside)) break;
            count = wasm_i32x4_sub(count, inside);
            v128_t ab = wasm_f32x4_mul(a, b);
            a = wasm_f32x4_add(wasm_f32x4_sub(aa, bb), cx);
            b = wasm_f32x4_add(wasm_f32x4_add(ab, ab), cy);
        }
        sum += (uint32_t)wasm_i32x4_extract_lane(count, 0) + (uint32_t)wasm_i32x4_extract_lane(count, 1)
            + (uint32_t)wasm_i32x4_extract_lane(count, 2) + (uint32_t)wasm_i32x4_extract_lane(count, 3);
    }
#else
    for (int x = 0; x < size; x++) {
        float cx = (float)x * (3.0f / size) - 2, a = 0, b = 0;
        for (int i = 0; i < limit; i++) {
            float aa = a * a, bb = b * b;
            if (aa + bb > 4) break;
            sum++;
            float ab = a * b;
            a = aa - bb + cx;
            b = ab + ab + y;
        }
    }
#endif
    return sum;
}

int main(void) {
    uint32_t sum = 0;
    for (int y = 0; y < size; y++) sum += row((float)y * (2.0f / size) - 1);
    printf("mandelbrot %u\n", sum);
}
