/** Two short, quiet, falling tones: look at the screen. */
export function warn(): void {
  try {
    context ??= new AudioContext();
    [440, 330].forEach((hertz, index) => tone(context as AudioContext, hertz, index * 0.12));
  } catch {
    // Without sound the screen says it all the same.
  }
}

let context: AudioContext | undefined;

function tone(context: AudioContext, hertz: number, delay: number): void {
  const start = context.currentTime + delay;
  const oscillator = context.createOscillator();
  const volume = context.createGain();
  oscillator.frequency.value = hertz;
  volume.gain.setValueAtTime(0, start);
  volume.gain.linearRampToValueAtTime(0.08, start + 0.01);
  volume.gain.linearRampToValueAtTime(0, start + 0.11);
  oscillator.connect(volume).connect(context.destination);
  oscillator.start(start);
  oscillator.stop(start + 0.12);
}
