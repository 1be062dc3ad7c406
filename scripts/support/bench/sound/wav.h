/* 16-bit mono WAVE files with a 44-byte header, as scipy writes them, and the CPU time of this process. */
#pragma once
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static int16_t *read_wav(const char *path, int *n, int *rate)
{
    uint8_t h[44];
    FILE *f = fopen(path, "rb");
    if (!f || fread(h, 1, 44, f) != 44 || memcmp(h + 36, "data", 4)) {
        fprintf(stderr, "%s: no WAVE file with a header of 44 bytes\n", path);
        exit(1);
    }
    fseek(f, 0, SEEK_END);
    *n = (int)((ftell(f) - 44) / 2);
    *rate = *(int *)(h + 24);
    fseek(f, 44, SEEK_SET);
    int16_t *s = calloc(*n + 1, 2);
    if (fread(s, 2, *n, f) != (size_t)*n)
        exit(1);
    fclose(f);
    return s;
}

static void write_wav(const char *path, const int16_t *s, int n, int rate)
{
    uint8_t h[44] = {0};
    FILE *f = fopen(path, "wb");
    if (!f) {
        perror(path);
        exit(1);
    }
    memcpy(h, "RIFF", 4);
    *(int *)(h + 4) = 36 + 2 * n;
    memcpy(h + 8, "WAVEfmt ", 8);
    *(int *)(h + 16) = 16;
    *(short *)(h + 20) = 1;
    *(short *)(h + 22) = 1;
    *(int *)(h + 24) = rate;
    *(int *)(h + 28) = rate * 2;
    *(short *)(h + 32) = 2;
    *(short *)(h + 34) = 16;
    memcpy(h + 36, "data", 4);
    *(int *)(h + 40) = 2 * n;
    fwrite(h, 1, 44, f);
    fwrite(s, 2, n, f);
    fclose(f);
}

static double cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_utime.tv_sec + u.ru_stime.tv_sec + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}
