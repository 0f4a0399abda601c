// Floating-point multiplication and addition with strided loads: a product of f64 matrices.

#include <stdio.h>

enum { size = 360 };

static double a[size][size], b[size][size], c[size][size];

int main(void) {
    for (int i = 0; i < size; i++) {
        for (int j = 0; j < size; j++) {
            a[i][j] = (i * 7 + j * 3) % 11 - 5;
            b[i][j] = (i * 5 + j * 9) % 13 - 6;
        }
    }
    for (int i = 0; i < size; i++) {
        for (int j = 0; j < size; j++) {
            double sum = 0;
            for (int k = 0; k < size; k++) sum += a[i][k] * b[k][j];
            c[i][j] = sum;
        }
    }
    double checksum = 0;
    for (int i = 0; i < size; i++)
        for (int j = 0; j < size; j++) checksum += c[i][j] * (i - j);
    printf("matmul %.1f\n", checksum);
}
