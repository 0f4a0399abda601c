#include "corpus.h"
#include <brotli/decode.h>
#include <brotli/encode.h>

int main(int argc, char **argv) {
    size_t size = corpus_size(argc, argv), packed_size = BrotliEncoderMaxCompressedSize(size);
    unsigned char *text = corpus(size), *packed = malloc(packed_size), *back = malloc(size);
    if (!BrotliEncoderCompress(5, 22, BROTLI_MODE_TEXT, size, text, &packed_size, packed))
        return 1;
    for (int i = 0; i < 4; i++) {
        size_t back_size = size;
        if (!BrotliDecoderDecompress(packed_size, packed, &back_size, back))
            return 1;
    }
    return report(text, size, packed, packed_size, back);
}
