/** The presets, each a file in this folder. */
import discord from "./discord.json" with { type: "json" };
import homeAssistant from "./home-assistant.json" with { type: "json" };
import homeAssistantEvents from "./home-assistant-events.json" with { type: "json" };
import influxdb from "./influxdb.json" with { type: "json" };
import n8n from "./n8n.json" with { type: "json" };
import ntfy from "./ntfy.json" with { type: "json" };
import pagerduty from "./pagerduty.json" with { type: "json" };
import type { Preset } from "./preset.ts";
import slack from "./slack.json" with { type: "json" };
import telegraf from "./telegraf.json" with { type: "json" };
import telegram from "./telegram.json" with { type: "json" };

export * from "./preset.ts";

export const PRESETS = [
  ...[discord, slack, telegram, ntfy, pagerduty],
  ...[influxdb, telegraf, homeAssistant, homeAssistantEvents, n8n],
] as readonly Preset[];
