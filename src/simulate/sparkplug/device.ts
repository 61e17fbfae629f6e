/** A device behind a Sparkplug edge node. */

export interface SparkplugMetric {
  name: string;
  type: "Boolean" | "Double" | "Int64" | "String";
  value: boolean | number | string;
}

export interface SparkplugDevice {
  readonly name: string;
  /** Always the same metrics, in the same order, with their current values. */
  metrics(): readonly SparkplugMetric[];
  tick(now: Date): void;
  /** Writes a metric of a command. Metrics that are no outputs, and invalid values, change nothing. */
  write(name: string, value: unknown): void;
}
