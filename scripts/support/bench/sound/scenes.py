#!/usr/bin/python3
"""scenes.py DIR SEED [SCENE...]: sounds of a door station for an echo canceller, 60 s each, at 16 and 8 kHz.

Writes DIR/SCENE_{16k,8k}/{far,mic,near,echo,noise}.wav. The far end speaks at 0-30 s and 36-60 s, the near end at 20-36 s; at 44 s
the echo path changes, as when the visitor moves. The same seed makes the same sounds.
"""
import os
import subprocess
import sys

import numpy as np
from scipy.io import wavfile
from scipy.signal import butter, fftconvolve, lfilter, resample_poly, sosfilt

FS, LENGTH, CHANGE = 48000, 60, 44
FAR = [
    ('en-gb+m3', 160, 45, "Hello, who is there please? Good morning, this is the reception desk on the fourth floor. "
     "If you have a parcel for us, please leave it with the concierge next to the lift."),
    ('de+f2', 150, 60, "Guten Tag, wer ist da bitte? Kommen Sie herein, die Treppe hinauf in den zweiten Stock, "
     "dann die zweite Tür links. Bitte schließen Sie das Tor hinter sich."),
    ('fr+m1', 155, 50, "Bonjour, je vous ouvre la porte tout de suite. Vous pouvez garer votre voiture devant le garage, "
     "mais pas plus de dix minutes s'il vous plaît."),
    ('en-us+f4', 175, 55, "I will be right down. Could you please wait a moment by the gate? The dog is in the garden, "
     "but he is friendly, so do not worry about him at all."),
    ('es+m2', 165, 48, "Buenos días, deje el paquete en la entrada, por favor. Muchas gracias y hasta luego. "
     "La puerta se abrirá en cinco segundos, empuje con fuerza."),
]
NEAR = [
    ('en-us+m5', 165, 52, "Delivery for apartment twelve, I need a signature please. The box is quite heavy. Is anybody at home? "
     "I can come back tomorrow between nine and eleven."),
    ('de+m6', 155, 40, "Guten Tag, hier ist der Elektriker. Ich habe einen Termin um halb zehn wegen der Heizung. "
     "Können Sie mir bitte das Tor öffnen?"),
]
# delay ms, loudspeaker, reverberation time ms and level dB, noise and its dBFS, echo dBFS, near end dBFS, clocks apart in ppm
SCENES = {
    's1_clean': (10, 'linear', 60, -22, 'pink', -75, -20, -28, 0),
    's2_typical': (20, 'mild', 100, -18, 'pink', -58, -20, -28, 0),
    's3_nonlinear': (20, 'strong', 100, -18, 'pink', -58, -18, -28, 0),
    's4_wind': (20, 'mild', 100, -18, 'wind', -38, -20, -28, 0),
    's5_delay60': (60, 'mild', 100, -18, 'pink', -58, -20, -28, 0),
    's6_drift50': (20, 'mild', 100, -18, 'pink', -58, -20, -28, 50),
    's7_reverb': (20, 'mild', 240, -14, 'pink', -58, -20, -28, 0),
    's8_loud': (20, 'mild', 100, -18, 'pink', -58, -14, -34, 0),
    's9_quiet': (20, 'mild', 100, -18, 'pink', -58, -32, -26, 0),
}


def speak(path, voice, speed, pitch, text):
    subprocess.run(['espeak-ng', '-v', voice, '-s', str(speed), '-p', str(pitch), '-w', path, text], check=True)
    rate, x = wavfile.read(path)
    x = x.astype(np.float64) / 32768
    x = resample_poly(x, FS // 50, rate // 50) if rate % 50 == 0 else resample_poly(x, FS, rate)
    return x / np.sqrt(np.mean(x[np.abs(x) > 0.01] ** 2))


def talk(items, rng, gap):
    y = np.zeros(LENGTH * FS)
    at, k = int(0.3 * FS), 0
    while at < len(y):
        x = items[k % len(items)]
        k += 1
        m = min(len(x), len(y) - at)
        y[at:at + m] += x[:m]
        at += m + int(rng.uniform(*gap) * FS)
    return y


def active_rms(x):
    f = FS // 100
    e = np.mean(x[:len(x) // f * f].reshape(-1, f) ** 2, 1)
    return np.sqrt(np.mean(e[e > e.max() * 1e-3]))


def echo_path(rng, tail_ms, tail_db, changed):
    """Direct sound over 5 cm, resonances of the case, a few reflections, exponential tail, response of loudspeaker and microphone."""
    n = int(0.25 * FS)
    h, t = np.zeros(n), np.arange(n) / FS
    i = int((0.00015 + 0.0002 * changed) * FS)
    h[i] += 0.8
    h[i + 1] += 0.25
    for f, q, a in [(480, 6, .10), (930, 9, .14), (1720, 12, .10), (2950, 10, .07), (4600, 14, .04)]:
        f *= 1 + 0.06 * changed
        since = np.clip(t - 0.0002, 0, None)
        h += a * np.exp(-np.pi * f / q * since) * np.sin(2 * np.pi * f * since) * (t > 0.0002) * (0.6 if changed else 1)
    for _ in range(6):
        dt = rng.uniform(0.0025, 0.014)
        h[int(dt * FS)] += 10 ** (-rng.uniform(16, 28) / 20) * (2.2 if changed else 1) * rng.choice([-1, 1])
    tail = rng.standard_normal(n) * np.exp(-6.9 * t / (tail_ms / 1000)) * (t > 0.004)
    h += tail * 10 ** (tail_db / 20) * np.sqrt(np.sum(h ** 2)) / np.sqrt(np.sum(tail ** 2))
    h = sosfilt(butter(2, [250, 9000], 'band', fs=FS, output='sos'), h)
    return h / np.sqrt(np.sum(h ** 2))


def loudspeaker(x, kind):
    if kind == 'linear':
        return x
    g, a = {'mild': (0.22, 0.02), 'strong': (0.70, 0.08)}[kind]
    y = np.tanh(g * x + a * (g * x) ** 2) / g
    return y / active_rms(y)


def noise(kind, rng):
    n = LENGTH * FS
    if kind == 'pink':
        s = np.fft.rfft(rng.standard_normal(n))
        f = np.arange(len(s))
        f[0] = 1
        x = np.fft.irfft(s / np.sqrt(f), n)
    else:
        x = lfilter([1], [1, -0.995], rng.standard_normal(n))
        x = sosfilt(butter(2, [20, 700], 'band', fs=FS, output='sos'), x)
        x *= np.interp(np.arange(n), np.linspace(0, n, 80), np.abs(rng.standard_normal(80)) ** 1.5 + 0.15)
    return x / np.std(x)


def drift(x, ppm):
    if ppm == 0:
        return x
    over = resample_poly(x, 4, 1)
    p = np.clip(np.arange(len(x)) * (1 + ppm * 1e-6) * 4, 0, len(over) - 2)
    j = p.astype(int)
    return over[j] * (1 - (p - j)) + over[j + 1] * (p - j)


def main():
    out, seed = sys.argv[1], int(sys.argv[2])
    tmp = out + '.tmp'
    os.makedirs(tmp, exist_ok=True)
    rng = np.random.default_rng(seed)
    far = talk([speak(f'{tmp}/far{i}.wav', *a) for i, a in enumerate(FAR)], rng, (0.25, 0.9))
    near = talk([speak(f'{tmp}/near{i}.wav', *a) for i, a in enumerate(NEAR)], rng, (0.2, 0.5))
    subprocess.run(['sox', '-q', '-n', '-r', str(FS), '-c', '1', '-b', '16', f'{tmp}/chime.wav', 'synth', '1.2', 'pluck', 'E5', 'pluck',
                    'C5', 'fade', '0', '1.2', '0.8', 'gain', '-n', '-3'], check=True)
    chime = wavfile.read(f'{tmp}/chime.wav')[1].astype(float) / 32768
    far[40 * FS:40 * FS + len(chime)] += 0.5 * chime / active_rms(chime)
    t = np.arange(LENGTH * FS) / FS

    def gate(*spans):
        return sum(np.clip(np.minimum((t - a) / 0.02, (b - t) / 0.02), 0, 1) for a, b in spans)

    far *= gate((0, 30), (36, 60))
    near *= gate((20, 36))
    wanted = sys.argv[3:] or list(SCENES)
    for k, (name, scene) in enumerate(SCENES.items()):
        if name not in wanted:
            continue
        delay_ms, speaker, tail_ms, tail_db, kind, noise_db, echo_db, near_db, ppm = scene
        rng = np.random.default_rng(seed + 100 + k)
        before, after = echo_path(rng, tail_ms, tail_db, 0), echo_path(rng, tail_ms, tail_db, 1)
        s = loudspeaker(far / active_rms(far), speaker)
        w = np.clip((t - CHANGE) / 0.05, 0, 1)
        echo = fftconvolve(s, before)[:len(s)] * (1 - w) + fftconvolve(s, after)[:len(s)] * w
        echo = drift(np.concatenate([np.zeros(delay_ms * FS // 1000), echo])[:len(s)], ppm)
        echo *= 10 ** (echo_db / 20) / active_rms(echo)
        mouth = np.zeros(int(.05 * FS))
        mouth[0], mouth[int(.003 * FS)] = 1, .2
        voice = sosfilt(butter(2, [120, 9000], 'band', fs=FS, output='sos'), fftconvolve(near, mouth)[:len(near)])
        voice *= 10 ** (near_db / 20) / active_rms(voice)
        hiss = noise(kind, rng) * 10 ** (noise_db / 20)
        for rate in (16000, 8000):
            d = f'{out}/{name}_{rate // 1000}k'
            os.makedirs(d, exist_ok=True)
            f, e, v, z = (resample_poly(x, 1, FS // rate) for x in (far / active_rms(far) * 0.1, echo, voice, hiss))
            for part, x in (('far', f), ('mic', e + v + z), ('near', v), ('echo', e), ('noise', z)):
                wavfile.write(f'{d}/{part}.wav', rate, np.clip(np.round(x * 32768), -32768, 32767).astype(np.int16))


main()
