#!/bin/sh
# Makes the password file from the environment, then starts Mosquitto. Changing a password is changing the variable.
set -eu

: "${MQTT_USERNAME:?the user name of the bridge}"
: "${MQTT_PASSWORD:?the password of the bridge}"
directory=${MOSQUITTO_DATA:-/mosquitto/data}
passwords=$directory/passwords

umask 077
rm -f "$passwords"
mosquitto_passwd -b -c "$passwords" "$MQTT_USERNAME" "$MQTT_PASSWORD"
if [ -n "${DEVICE_USERNAME:-}" ]; then
  mosquitto_passwd -b "$passwords" "$DEVICE_USERNAME" "${DEVICE_PASSWORD:?the password of the devices}"
fi

# Started by root, Mosquitto goes on as the user mosquitto, who must be able to read the file and write beside it.
if [ "$(id -u)" = 0 ]; then
  chown -R mosquitto:mosquitto "$directory"
fi
exec mosquitto -c "${MOSQUITTO_CONF:-/mosquitto/config/mosquitto.conf}"
