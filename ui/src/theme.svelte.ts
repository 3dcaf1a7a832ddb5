const KEY = 'theme';
const CHOICES = ['system', 'light', 'dark'] as const;
export type Choice = (typeof CHOICES)[number];

/** Light, dark, or as the system has it; remembered on this machine. */
class Theme {
  choice = $state<Choice>(
    CHOICES.find((choice) => choice === localStorage.getItem(KEY)) ?? 'system',
  );

  /** Shows the page as it was chosen. */
  apply(): void {
    document.documentElement.dataset['theme'] = this.choice;
  }

  /** Goes on to the next choice. */
  next(): void {
    this.choice = CHOICES[(CHOICES.indexOf(this.choice) + 1) % CHOICES.length] ?? 'system';
    localStorage.setItem(KEY, this.choice);
    this.apply();
  }
}

export const theme = new Theme();
