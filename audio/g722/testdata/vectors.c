/* Makes the vectors beside it: gcc vectors.c -lspandsp -lm && ./a.out (Debian: libspandsp-dev 0.0.6).
 *   sound.pcm    16 kHz s16le; sound.g722: its code by spandsp; sound.out: that code decoded
 *   noise.out    what spandsp decodes from all.g722, a pseudo-random octet stream that reaches every code */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <math.h>
#include <spandsp.h>

static void put(const char *name, const void *p, size_t n)
{
    FILE *f = fopen(name, "wb");
    fwrite(p, 1, n, f);
    fclose(f);
}

int main(void)
{
    enum { N = 8000, M = 3000 };
    static int16_t in[N], out[N], noise[2 * M];
    static uint8_t code[N / 2 + 8], all[M];
    uint32_t r = 1;
    for (int i = 0; i < N; i++) {
        r = r * 1664525u + 1013904223u;
        double t = i / 16000.0, env = i < 2000 ? 0.02 : i < 5000 ? 0.5 : 1.2;
        double v = env * (12000 * sin(2 * M_PI * (200 + 3400 * t) * t) + 8000 * sin(2 * M_PI * 5100 * t)) + (int16_t)(r >> 16) * (i > 6000 ? 1.0 : 0.03);
        in[i] = v > 32767 ? 32767 : v < -32768 ? -32768 : (int16_t)v;
    }
    g722_encode_state_t *e = g722_encode_init(NULL, 64000, 0);
    int n = g722_encode(e, code, in, N);
    g722_decode_state_t *d = g722_decode_init(NULL, 64000, 0);
    int m = g722_decode(d, out, code, n);
    put("sound.pcm", in, sizeof in);
    put("sound.g722", code, n);
    put("sound.out", out, m * 2);
    for (int i = 0; i < M; i++) {
        r = r * 1664525u + 1013904223u;
        all[i] = r >> 24;
    }
    d = g722_decode_init(NULL, 64000, 0);
    m = g722_decode(d, noise, all, M);
    put("all.g722", all, M);
    put("noise.out", noise, m * 2);
    printf("%d %d\n", n, m);
    return 0;
}
