interface SparklineProps {
  values: readonly number[];
  /** Says what the line shows, with figures. */
  label: string;
  width?: number;
  height?: number;
}

/** A small line of values, scaled to its maximum. */
export function Sparkline({ values, label, width = 96, height = 20 }: SparklineProps) {
  const max = Math.max(...values, 1);
  const step = width / Math.max(1, values.length - 1);
  const points = values.map(
    (value, i) => `${(i * step).toFixed(1)},${(height - 1 - (value / max) * (height - 2)).toFixed(1)}`,
  );
  return (
    <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`} role="img" aria-label={label}>
      <polyline points={points.join(" ")} fill="none" stroke="var(--accent)" stroke-width="1.2" />
    </svg>
  );
}
