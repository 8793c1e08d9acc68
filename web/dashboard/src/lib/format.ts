// Numbers and times as people read them. An absent figure is a dash: never a zero that nobody measured.

export const NONE = "–";

/** As many decimals as the price is written with. */
export function decimalsOf(value: number): number {
  const text = String(value);
  const exponent = /e-(\d+)$/.exec(text);
  const mantissa = text.replace(/e.*/, "");
  const point = mantissa.indexOf(".");
  return Math.min(10, (point < 0 ? 0 : mantissa.length - point - 1) + (exponent ? Number(exponent[1]) : 0));
}

export function price(value: number | null | undefined, decimals: number): string {
  return value === undefined || value === null ? NONE : value.toFixed(decimals);
}

export function signed(value: number, decimals: number): string {
  const text = Math.abs(value).toFixed(decimals);
  return Number(text) === 0 ? text : `${value > 0 ? "+" : "−"}${text}`;
}

export function rate(value: number | null | undefined): string {
  if (value === undefined || value === null || !Number.isFinite(value)) return NONE;
  return value >= 100 ? count(value) : value.toFixed(1);
}

export function count(value: number | null | undefined): string {
  if (value === undefined || value === null || !Number.isFinite(value)) return NONE;
  return Math.round(value).toLocaleString("en-US");
}

export function bytes(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return NONE;
  const units = ["B", "KB", "MB", "GB", "TB"];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, value)) / 3)));
  const scaled = value / 1000 ** power;
  return `${scaled >= 100 || power === 0 ? scaled.toFixed(0) : scaled.toFixed(1)} ${units[power]}`;
}

/** Of a duration in seconds, down to microseconds. */
export function latency(seconds: number | undefined): string {
  if (seconds === undefined || !Number.isFinite(seconds)) return NONE;
  if (seconds < 0.001) return `${(seconds * 1e6).toFixed(0)} µs`;
  if (seconds < 1) return `${(seconds * 1e3).toFixed(seconds < 0.01 ? 2 : 1)} ms`;
  return `${seconds.toFixed(2)} s`;
}

export function span(seconds: number): string {
  if (seconds < 60) return `${Math.max(0, Math.floor(seconds))} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86_400)} d ${Math.floor((seconds % 86_400) / 3600)} h`;
}

export function plural(number: number, word: string): string {
  return `${count(number)} ${word}${number === 1 ? "" : "s"}`;
}

/** 14:03:27.412 */
export function timeOfDay(seconds: number, digits = 3): string {
  const text = new Date(seconds * 1000).toISOString().slice(11, 23);
  return digits === 0 ? text.slice(0, 8) : text.slice(0, 9 + digits);
}

export function dateAndTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(0, 19).replace("T", " ");
}
