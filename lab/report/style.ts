import { styleText } from 'node:util';

/** What a text means, in colour or without. */
export interface Style {
  good(text: string): string;
  bad(text: string): string;
  strong(text: string): string;
  faint(text: string): string;
}

/** Whether there is a terminal that shows colour is for the caller to know; nothing is asked here. */
export function style(colour: boolean): Style {
  const as =
    (format: Parameters<typeof styleText>[0]) =>
    (text: string): string =>
      colour ? styleText(format, text, { validateStream: false }) : text;
  return { good: as(['bold', 'green']), bad: as(['bold', 'red']), strong: as('bold'), faint: as('dim') };
}
