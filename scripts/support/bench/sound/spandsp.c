/* spandsp, the peer of codec, concealment and digits:
 *   spandsp encode IN.wav OUT       G.722 at 64 kbit/s; prints us_per_20ms X
 *   spandsp decode IN OUT.wav       the same
 *   spandsp conceal IN.wav TRACE OUT.wav   8 kHz; a lost packet of the trace is 20 ms of concealment
 *   spandsp dtmf IN.wav             8 kHz; prints the digits; on stderr us_per_s X */
#include "wav.h"
#include <spandsp.h>

enum { ROUNDS = 9 };

static double fastest(double best, double began, double frames)
{
    double t = (cpu_seconds() - began) * 1e6 / frames;
    return best == 0 || t < best ? t : best;
}

static int encode(char **argv)
{
    int n, rate, len = 0;
    double best = 0;
    int16_t *in = read_wav(argv[2], &n, &rate);
    n &= ~1;
    uint8_t *out = malloc(n);
    for (int k = 0; k < ROUNDS; k++) {
        g722_encode_state_t *s = g722_encode_init(NULL, 64000, 0);
        double began = cpu_seconds();
        len = 0;
        for (int i = 0; i < n; i += 320)
            len += g722_encode(s, out + len, in + i, n - i < 320 ? n - i : 320);
        best = fastest(best, began, n / 320.0);
    }
    FILE *f = fopen(argv[3], "wb");
    fwrite(out, 1, len, f);
    fclose(f);
    printf("us_per_20ms %.3f\n", best);
    return 0;
}

static int decode(char **argv)
{
    FILE *f = fopen(argv[2], "rb");
    if (!f)
        return 1;
    fseek(f, 0, SEEK_END);
    int n = (int)ftell(f), len = 0;
    rewind(f);
    uint8_t *in = malloc(n);
    if (fread(in, 1, n, f) != (size_t)n)
        return 1;
    int16_t *out = malloc(n * 4);
    double best = 0;
    for (int k = 0; k < ROUNDS; k++) {
        g722_decode_state_t *s = g722_decode_init(NULL, 64000, 0);
        double began = cpu_seconds();
        len = 0;
        for (int i = 0; i < n; i += 160)
            len += g722_decode(s, out + len, in + i, n - i < 160 ? n - i : 160);
        best = fastest(best, began, n / 160.0);
    }
    write_wav(argv[3], out, len, 16000);
    printf("us_per_20ms %.3f\n", best);
    return 0;
}

static int conceal(char **argv)
{
    int n, rate;
    int16_t *s = read_wav(argv[2], &n, &rate);
    FILE *t = fopen(argv[3], "r");
    if (!t || rate != 8000)
        return 1;
    plc_state_t *plc = plc_init(NULL);
    int seq;
    double sent, arrived;
    while (fscanf(t, "%d %lf %lf", &seq, &sent, &arrived) == 3 && (seq + 1) * 160 <= n) {
        if (arrived < 0)
            plc_fillin(plc, s + seq * 160, 160);
        else
            plc_rx(plc, s + seq * 160, 160);
    }
    write_wav(argv[4], s, n, rate);
    return 0;
}

static void heard(void *user, const char *digits, int len)
{
    (void)user;
    printf("%.*s", len, digits);
}

static int dtmf(char **argv)
{
    int n, rate;
    int16_t *s = read_wav(argv[2], &n, &rate);
    if (rate != 8000)
        return 1;
    dtmf_rx_state_t *rx = dtmf_rx_init(NULL, heard, NULL);
    double began = cpu_seconds();
    for (int i = 0; i < n; i += 160)
        dtmf_rx(rx, s + i, n - i < 160 ? n - i : 160);
    fprintf(stderr, "us_per_s %.2f\n", (cpu_seconds() - began) * 1e6 * rate / n);
    printf("\n");
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && !strcmp(argv[1], "encode"))
        return encode(argv);
    if (argc == 4 && !strcmp(argv[1], "decode"))
        return decode(argv);
    if (argc == 5 && !strcmp(argv[1], "conceal"))
        return conceal(argv);
    if (argc == 3 && !strcmp(argv[1], "dtmf"))
        return dtmf(argv);
    return 2;
}
