"""Measures of an echo canceller's or a concealment's output against the known parts of the sound."""
import numpy as np
from scipy.io import wavfile
from scipy.linalg import solve_toeplitz
from scipy.signal import fftconvolve, resample_poly

PARTS = ('far', 'mic', 'near', 'echo', 'noise')


def frames(x, n):
    return x[:len(x) // n * n].reshape(-1, n)


def third_octaves(rate, nfft, bands, lowest):
    f = np.linspace(0, rate, nfft + 1)[:nfft // 2 + 1]
    k = np.arange(bands)
    lower, upper = lowest * 2 ** ((2 * k - 1) / 6), lowest * 2 ** ((2 * k + 1) / 6)
    m = np.zeros((bands, len(f)))
    for i in range(bands):
        m[i, np.argmin((f - lower[i]) ** 2):np.argmin((f - upper[i]) ** 2)] = 1
    return m


STOI_BANDS = third_octaves(10000, 512, 15, 150)


def stoi(x, y, rate):
    """Short-time objective intelligibility of y against clean x, -1 to 1 (Taal et al., ICASSP 2010)."""
    x, y = resample_poly(x, 10000, rate), resample_poly(y, 10000, rate)
    n = 256
    w = np.hanning(n + 2)[1:-1]
    at = range(0, len(x) - n, n // 2)
    a, b = np.array([w * x[i:i + n] for i in at]), np.array([w * y[i:i + n] for i in at])
    level = 20 * np.log10(np.linalg.norm(a, axis=1) + 1e-12)
    loud = level > level.max() - 40
    a, b = a[loud], b[loud]

    def overlap_add(f):
        z = np.zeros((len(f) + 1) * n // 2)
        for i, v in enumerate(f):
            z[i * n // 2:i * n // 2 + n] += v
        return z

    def bands(f):
        z = overlap_add(f)
        s = np.abs(np.fft.rfft(np.array([w * z[i:i + n] for i in range(0, len(z) - n, n // 2)]), 512))
        return np.sqrt(s ** 2 @ STOI_BANDS.T).T

    a, b, m = bands(a), bands(b), 30
    if a.shape[1] < m:
        return float('nan')
    clip, d = 10 ** (15 / 20), []
    for j in range(m, a.shape[1] + 1):
        p, q = a[:, j - m:j], b[:, j - m:j]
        q = np.minimum(q * np.linalg.norm(p, axis=1, keepdims=True) / (np.linalg.norm(q, axis=1, keepdims=True) + 1e-12), p * (1 + clip))
        p, q = p - p.mean(1, keepdims=True), q - q.mean(1, keepdims=True)
        d.append(np.mean(np.sum(p * q, 1) / (np.linalg.norm(p, axis=1) * np.linalg.norm(q, axis=1) + 1e-12)))
    return float(np.mean(d))


def log_spectral_distance(x, y, rate, chosen):
    """dB between the spectra of the chosen frames of 20 ms, 200 Hz to 7 kHz or 90 % of the band."""
    n = rate // 50
    a, b = (np.abs(np.fft.rfft(frames(v, n) * np.hanning(n))) ** 2 for v in (x, y))
    floor = 1e-4 * np.mean(a[chosen])
    band = slice(int(200 * n / rate), int(min(7000, rate / 2 * .9) * n / rate))
    d = 10 * np.log10((a + floor) / (b + floor))[chosen][:, band]
    return float(np.mean(np.sqrt(np.mean(d ** 2, 1))))


def erle(mic, out, chosen):
    return float(10 * np.log10((mic[chosen].sum() + 1e-9) / (out[chosen].sum() + 1e-9)))


def load(scene):
    s = {}
    for part in PARTS:
        s['rate'], x = wavfile.read(f'{scene}/{part}.wav')
        s[part] = x.astype(float)
    return s


def delay(near, out, rate):
    """Samples by which out follows near, from the seconds in which the near end speaks alone."""
    s, longest = slice(int(30.2 * rate), int(35.8 * rate)), int(.08 * rate)
    c = fftconvolve(out[s], near[s][::-1])
    mid = len(near[s]) - 1
    return int(np.argmax(np.abs(c[mid - longest // 8:mid + longest]))) - longest // 8


def fixed_filter(x, y, rate):
    """Least-squares filter of -2 to 14 ms from near end to output: what a high pass or a notch does is not counted as damage."""
    before = int(.002 * rate)
    n = before + int(.014 * rate)
    s = slice(int(31 * rate), int(35.7 * rate))
    size = int(2 ** np.ceil(np.log2(2 * len(x[s]))))
    a = np.fft.rfft(x[s], size)
    auto = np.fft.irfft(a * np.conj(a), size)[:n].copy()
    cross = np.fft.irfft(np.fft.rfft(y[s], size) * np.conj(a), size)
    auto[0] *= 1.0003
    return solve_toeplitz(auto, np.concatenate([cross[-before:], cross[:n - before]])), before


def aligned(s, path):
    """The output at path, moved to where the near end of scene s is, and that near end as fixed filtering leaves it."""
    rate, (_, out) = s['rate'], wavfile.read(path)
    out = out.astype(float)
    lag, o = delay(s['near'], out, rate), np.zeros_like(s['mic'])
    if lag >= 0:
        o[:len(out) - lag] = out[lag:][:len(o)]
    else:
        o[-lag:] = out[:lag]
    g, before = fixed_filter(s['near'], o, rate)
    return o, np.convolve(s['near'], g)[before:before + len(s['near'])]


def speech(near, out, rate, begin, end):
    """Intelligibility, gain in dB, and share of 20 ms frames cut by more than 10 dB, of the near end between two times in s."""
    n = rate // 50
    part = slice(int(begin * rate) // n * n, int(end * rate) // n * n)
    x, y = near[part], out[part]
    power = np.mean(frames(x, n) ** 2, 1)
    speaks = power > np.percentile(power, 99) * 1e-3
    a, b = frames(x, n), frames(y, n)
    gain = np.clip(np.sum(a * b, 1) / (np.sum(a * a, 1) + 1e-9), 1e-3, None)[speaks]
    return (stoi(x, y, rate), float(10 * np.log10(np.sum(gain ** 2 * power[speaks]) / np.sum(power[speaks]))),
            float(np.mean(gain < 0.316)))


def score(s, path):
    """Figures of the canceller's output at path, for a scene of scenes.py."""
    rate, (o, near) = s['rate'], aligned(s, path)
    n = rate // 50
    mic, left, echo = (np.mean(frames(x, n) ** 2, 1) for x in (s['mic'], o, s['echo']))
    t = np.arange(len(mic)) / 50
    active = echo > np.percentile(echo[echo > 0], 99) * 1e-3
    r = {}
    for name, begin, end in (('erle_first', 0, 4), ('erle_converged', 12, 20), ('erle_after_talk', 36, 44), ('erle_after_change', 52, 60)):
        r[name] = erle(mic, left, (t >= begin) & (t < end) & active)
    for name, begin, end in (('talk', 20.3, 29.7), ('near', 30.3, 35.7)):
        r['stoi_' + name], r['gain_' + name], r['cut_' + name] = speech(near, o, rate, begin, end)
    return r


def talk_at(s, begin):
    """Scene s, in which the ten seconds of double talk come at begin: with an echo path that is not known yet, or not any more."""
    rate, near = s['rate'], s['near'].copy()
    near[:30 * rate] = 0
    near[begin * rate:(begin + 10) * rate] = s['near'][20 * rate:30 * rate]
    return dict(s, near=near, mic=np.clip(near + s['echo'] + s['noise'], -32768, 32767))
