// f32 arithmetic in a loop that ends unpredictably: the Mandelbrot set.

#include <stdio.h>

enum { width = 640, height = 480, limit = 600 };

int main(void) {
    unsigned inside = 0, checksum = 0;
    for (int row = 0; row < height; row++) {
        for (int column = 0; column < width; column++) {
            float cx = -2.2f + 3.2f * column / width, cy = -1.2f + 2.4f * row / height;
            float x = 0, y = 0;
            int count = 0;
            while (count < limit && x * x + y * y <= 4) {
                float next = x * x - y * y + cx;
                y = 2 * x * y + cy;
                x = next;
                count++;
            }
            inside += count == limit;
            checksum = checksum * 31 + count;
        }
    }
    printf("mandelbrot %u %08x\n", inside, checksum);
}
