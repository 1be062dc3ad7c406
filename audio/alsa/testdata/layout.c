/* Prints the sizes, offsets and ioctl numbers that layout.go repeats. */
#include <stdio.h>
#include <stddef.h>
#include <time.h>
#include <sys/ioctl.h>
#include <sound/asound.h>

#define SIZE(t) printf("size %s %zu\n", #t, sizeof(struct t))
#define OFF(t, m) printf("offset %s.%s %zu\n", #t, #m, offsetof(struct t, m))
#define IOC(n) printf("ioctl %s %#lx\n", #n, (unsigned long)n)
#define VAL(n) printf("const %s %lu\n", #n, (unsigned long)n)

int main(void)
{
#if defined(__x86_64__)
	puts("arch amd64");
#elif defined(__aarch64__)
	puts("arch arm64");
#elif defined(__arm__)
	puts("arch arm");
#endif
	SIZE(snd_interval);
	SIZE(snd_mask);
	SIZE(snd_pcm_hw_params);
	OFF(snd_pcm_hw_params, masks);
	OFF(snd_pcm_hw_params, intervals);
	OFF(snd_pcm_hw_params, rmask);
	OFF(snd_pcm_hw_params, cmask);
	OFF(snd_pcm_hw_params, info);
	OFF(snd_pcm_hw_params, msbits);
	OFF(snd_pcm_hw_params, rate_num);
	OFF(snd_pcm_hw_params, rate_den);
	OFF(snd_pcm_hw_params, fifo_size);
	SIZE(snd_pcm_sw_params);
	OFF(snd_pcm_sw_params, tstamp_mode);
	OFF(snd_pcm_sw_params, period_step);
	OFF(snd_pcm_sw_params, avail_min);
	OFF(snd_pcm_sw_params, xfer_align);
	OFF(snd_pcm_sw_params, start_threshold);
	OFF(snd_pcm_sw_params, stop_threshold);
	OFF(snd_pcm_sw_params, silence_threshold);
	OFF(snd_pcm_sw_params, silence_size);
	OFF(snd_pcm_sw_params, boundary);
	OFF(snd_pcm_sw_params, proto);
	OFF(snd_pcm_sw_params, tstamp_type);
	SIZE(snd_pcm_status);
	OFF(snd_pcm_status, state);
	OFF(snd_pcm_status, trigger_tstamp);
	OFF(snd_pcm_status, tstamp);
	OFF(snd_pcm_status, appl_ptr);
	OFF(snd_pcm_status, hw_ptr);
	OFF(snd_pcm_status, delay);
	OFF(snd_pcm_status, avail);
	SIZE(snd_xferi);
	OFF(snd_xferi, result);
	OFF(snd_xferi, buf);
	OFF(snd_xferi, frames);
	SIZE(snd_pcm_info);
	OFF(snd_pcm_info, device);
	OFF(snd_pcm_info, stream);
	OFF(snd_pcm_info, card);
	OFF(snd_pcm_info, id);
	OFF(snd_pcm_info, name);
	SIZE(snd_ctl_card_info);
	OFF(snd_ctl_card_info, id);
	OFF(snd_ctl_card_info, driver);
	OFF(snd_ctl_card_info, name);
	OFF(snd_ctl_card_info, longname);
	SIZE(snd_ctl_elem_id);
	OFF(snd_ctl_elem_id, numid);
	OFF(snd_ctl_elem_id, iface);
	OFF(snd_ctl_elem_id, name);
	OFF(snd_ctl_elem_id, index);
	SIZE(snd_ctl_elem_list);
	OFF(snd_ctl_elem_list, offset);
	OFF(snd_ctl_elem_list, space);
	OFF(snd_ctl_elem_list, used);
	OFF(snd_ctl_elem_list, count);
	OFF(snd_ctl_elem_list, pids);
	SIZE(snd_ctl_elem_info);
	OFF(snd_ctl_elem_info, type);
	OFF(snd_ctl_elem_info, access);
	OFF(snd_ctl_elem_info, count);
	OFF(snd_ctl_elem_info, value.integer.min);
	OFF(snd_ctl_elem_info, value.integer.max);
	SIZE(snd_ctl_elem_value);
	OFF(snd_ctl_elem_value, value.integer.value);
	IOC(SNDRV_PCM_IOCTL_HW_REFINE);
	IOC(SNDRV_PCM_IOCTL_HW_PARAMS);
	IOC(SNDRV_PCM_IOCTL_SW_PARAMS);
	IOC(SNDRV_PCM_IOCTL_STATUS);
	IOC(SNDRV_PCM_IOCTL_PREPARE);
	IOC(SNDRV_PCM_IOCTL_START);
	IOC(SNDRV_PCM_IOCTL_DROP);
	IOC(SNDRV_PCM_IOCTL_WRITEI_FRAMES);
	IOC(SNDRV_PCM_IOCTL_READI_FRAMES);
	IOC(SNDRV_PCM_IOCTL_LINK);
	IOC(SNDRV_CTL_IOCTL_CARD_INFO);
	IOC(SNDRV_CTL_IOCTL_ELEM_LIST);
	IOC(SNDRV_CTL_IOCTL_ELEM_INFO);
	IOC(SNDRV_CTL_IOCTL_ELEM_READ);
	IOC(SNDRV_CTL_IOCTL_ELEM_WRITE);
	IOC(SNDRV_CTL_IOCTL_PCM_NEXT_DEVICE);
	IOC(SNDRV_CTL_IOCTL_PCM_INFO);
	VAL(SNDRV_PCM_HW_PARAM_ACCESS);
	VAL(SNDRV_PCM_HW_PARAM_FORMAT);
	VAL(SNDRV_PCM_HW_PARAM_FIRST_INTERVAL);
	VAL(SNDRV_PCM_HW_PARAM_CHANNELS);
	VAL(SNDRV_PCM_HW_PARAM_RATE);
	VAL(SNDRV_PCM_HW_PARAM_PERIOD_SIZE);
	VAL(SNDRV_PCM_HW_PARAM_BUFFER_SIZE);
	VAL(SNDRV_PCM_ACCESS_RW_INTERLEAVED);
	VAL(SNDRV_PCM_FORMAT_S16_LE);
	VAL(SNDRV_PCM_FORMAT_S24_LE);
	VAL(SNDRV_PCM_FORMAT_S32_LE);
	VAL(SNDRV_PCM_FORMAT_S24_3LE);
	VAL(SNDRV_PCM_STATE_RUNNING);
	VAL(SNDRV_PCM_STATE_XRUN);
	VAL(SNDRV_PCM_TSTAMP_ENABLE);
	VAL(SNDRV_PCM_TSTAMP_TYPE_MONOTONIC);
	VAL(SNDRV_CTL_ELEM_IFACE_MIXER);
	VAL(SNDRV_CTL_ELEM_TYPE_BOOLEAN);
	VAL(SNDRV_CTL_ELEM_TYPE_INTEGER);
	VAL(SNDRV_CTL_ELEM_ACCESS_READ);
	VAL(SNDRV_CTL_ELEM_ACCESS_WRITE);
	VAL(SNDRV_CTL_ELEM_ACCESS_INACTIVE);
	return 0;
}
