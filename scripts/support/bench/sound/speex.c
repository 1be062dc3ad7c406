/* speex FAR.wav MIC.wav OUT.wav: speexdsp's canceller, 20 ms frames, 200 ms tail, with the preprocessor's suppression of residual
 * echo; prints cpu_ms_per_s X. */
#include "wav.h"
#include <speex/speex_echo.h>
#include <speex/speex_preprocess.h>

int main(int argc, char **argv)
{
    int n, m, rate, far_rate, on = 1;
    if (argc != 4)
        return 2;
    int16_t *far = read_wav(argv[1], &m, &far_rate), *mic = read_wav(argv[2], &n, &rate);
    if (m != n || rate != far_rate)
        return 1;
    int frame = rate / 50;
    int16_t *out = calloc(n + frame, 2);
    SpeexEchoState *echo = speex_echo_state_init(frame, rate / 5);
    speex_echo_ctl(echo, SPEEX_ECHO_SET_SAMPLING_RATE, &rate);
    SpeexPreprocessState *pre = speex_preprocess_state_init(frame, rate);
    speex_preprocess_ctl(pre, SPEEX_PREPROCESS_SET_DENOISE, &on);
    int floor_db = -1; /* leave the noise as it is: the canceller alone is compared */
    speex_preprocess_ctl(pre, SPEEX_PREPROCESS_SET_NOISE_SUPPRESS, &floor_db);
    speex_preprocess_ctl(pre, SPEEX_PREPROCESS_SET_ECHO_STATE, echo);
    double began = cpu_seconds();
    for (int i = 0; i + frame <= n; i += frame) {
        speex_echo_cancellation(echo, mic + i, far + i, out + i);
        speex_preprocess_run(pre, out + i);
    }
    printf("cpu_ms_per_s %.3f\n", (cpu_seconds() - began) * 1e3 * rate / n);
    write_wav(argv[3], out, n, rate);
    return 0;
}
