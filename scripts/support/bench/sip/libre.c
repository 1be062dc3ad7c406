/* libre FILE: parses the SIP message in FILE again and again with libre, baresip's library, and prints "parse_ns X", the CPU time of the
 * fastest of many short rounds. */
#include <stdint.h>
#include <stdbool.h>
#include <re/re.h>
#include <stdio.h>
#include <time.h>

enum { ROUNDS = 200, MESSAGES = 50 };

static double cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * 1e9 + t.tv_nsec;
}

int main(int argc, char **argv)
{
    char text[8192];
    double best = 0;
    FILE *f = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (!f)
        return 2;
    size_t n = fread(text, 1, sizeof text, f);
    struct mbuf *mb = mbuf_alloc(sizeof text);
    mbuf_write_mem(mb, (uint8_t *)text, n);
    for (int r = 0; r < ROUNDS; r++) {
        double began = cpu_ns();
        for (int i = 0; i < MESSAGES; i++) {
            struct sip_msg *msg = NULL;
            mbuf_set_pos(mb, 0);
            if (sip_msg_decode(&msg, mb))
                return 1;
            mem_deref(msg);
        }
        double ns = (cpu_ns() - began) / MESSAGES;
        if (best == 0 || ns < best)
            best = ns;
    }
    printf("parse_ns %.0f\n", best);
    return 0;
}
