import { watch } from 'vue';
import type { Verdict } from '../../../../shared/detection.ts';
import { useFeed } from '../../stores/feed.ts';
import { useSettings } from '../../stores/settings.ts';

/** Frequencies in Hz, one after the other. A pass is silent: only what needs a person is heard. */
const tones: Readonly<Record<Verdict, readonly number[]>> = {
  pass: [],
  fail: [330, 220],
  review: [520],
  noDecision: [220, 440, 220, 440],
};

/** Says the verdict with a short tone, where the settings want it; a fault is heard always with sound on. */
export function useSound(): void {
  const settings = useSettings();
  const feed = useFeed();
  let audio: AudioContext | null = null;

  function play(frequencies: readonly number[]): void {
    if (settings.settings?.sound !== true || frequencies.length === 0) return;
    audio ??= new AudioContext();
    frequencies.forEach((frequency, i) => {
      const start = audio!.currentTime + i * 0.16;
      const oscillator = new OscillatorNode(audio!, { frequency, type: 'triangle' });
      const gain = new GainNode(audio!, { gain: 0.25 });
      gain.gain.setTargetAtTime(0, start + 0.11, 0.02);
      oscillator.connect(gain).connect(audio!.destination);
      oscillator.start(start);
      oscillator.stop(start + 0.2);
    });
  }

  watch(
    () => feed.arrivals,
    () => {
      const verdict = feed.parts.at(-1)?.part.verdict ?? null;
      if (verdict !== null) play(tones[verdict]);
    },
  );
  watch(
    () => feed.state?.state,
    (now) => {
      if (now === 'fault') play(tones.noDecision);
    },
  );
}
