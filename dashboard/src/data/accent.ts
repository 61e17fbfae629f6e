/** The colour of buttons and links in portal sessions, made readable in both themes. Pure. */

type Rgb = readonly [red: number, green: number, blue: number];

/** Values of the custom properties of `tokens.css`. */
export interface Accent {
  "--accent": string;
  "--accent-text": string;
  "--accent-quiet": string;
}

interface Theme {
  /** The backgrounds of text that are hardest to read on. */
  surfaces: readonly Rgb[];
  /** The colour is mixed with it until it is readable. */
  towards: Rgb;
  /** Share of the colour in the quiet background. */
  quiet: number;
  text: Rgb;
}

const WHITE: Rgb = [255, 255, 255];
const BLACK: Rgb = [0, 0, 0];
/** WCAG 2.2, success criterion 1.4.3. */
const READABLE = 4.5;
const STEPS = 50;

const LIGHT: Theme = { surfaces: [WHITE, [238, 240, 243]], towards: BLACK, quiet: 0.1, text: WHITE };
const DARK: Theme = {
  surfaces: [
    [15, 18, 22],
    [23, 27, 33],
  ],
  towards: WHITE,
  quiet: 0.2,
  text: [11, 21, 38],
};

/** @param colour `#rrggbb` */
export function accentOf(colour: string): Accent {
  const [light, dark] = [inTheme(rgbOf(colour), LIGHT), inTheme(rgbOf(colour), DARK)];
  const both = (part: "accent" | "text" | "quiet") => `light-dark(${hexOf(light[part])}, ${hexOf(dark[part])})`;
  return { "--accent": both("accent"), "--accent-text": both("text"), "--accent-quiet": both("quiet") };
}

/** The first mix that is readable on all surfaces, on its own quiet background, and below its text. */
function inTheme(colour: Rgb, { surfaces, towards, quiet, text }: Theme): Record<"accent" | "text" | "quiet", Rgb> {
  const background = mix(surfaces[0]!, colour, quiet);
  for (let step = 0; ; step++) {
    const accent = mix(colour, towards, step / STEPS);
    const worst = Math.min(...[...surfaces, background, text].map((other) => contrast(accent, other)));
    if (worst >= READABLE || step === STEPS) return { accent, text, quiet: background };
  }
}

/** Contrast ratio of WCAG 2.2, from 1 to 21. */
export function contrast(one: Rgb, other: Rgb): number {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

function luminance(colour: Rgb): number {
  const [red, green, blue] = colour.map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function mix(one: Rgb, other: Rgb, share: number): Rgb {
  return one.map((value, i) => Math.round(value + (other[i]! - value) * share)) as unknown as Rgb;
}

export function rgbOf(colour: string): Rgb {
  return [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16)) as unknown as Rgb;
}

function hexOf(colour: Rgb): string {
  return `#${colour.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}
