// Numbers and times as people read them.

export function price(value, decimals) {
  return value === undefined || value === null ? "–" : value.toFixed(decimals);
}

export function rate(value) {
  if (value === undefined) return "";
  return value >= 100 ? value.toFixed(0) : value.toFixed(1);
}

export function age(seconds) {
  if (seconds === undefined) return "";
  if (seconds < 10) return `${Math.max(0, seconds).toFixed(1)}s`;
  if (seconds < 60) return `${seconds.toFixed(0)}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  return seconds < 86_400 ? `${Math.floor(seconds / 3600)}h` : `${Math.floor(seconds / 86_400)}d`;
}

export function plural(count, word) {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}

export function clock(date) {
  return `${date.toISOString().slice(11, 19)} UTC`;
}

// Sets a node's text only where it differs: an unchanged row costs no layout.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
