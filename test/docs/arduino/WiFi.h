// Declarations of the WiFi library for the ESP32, as far as docs/recipes/esp32.md uses them.
#pragma once
#include "Arduino.h"

class Client {};
class WiFiClient : public Client {};

enum wifi_mode_t { WIFI_STA = 1 };
enum wl_status_t { WL_CONNECTED = 3 };

class WiFiClass {
 public:
  bool mode(wifi_mode_t mode);
  wl_status_t begin(const char* name, const char* password);
  wl_status_t status();
};
extern WiFiClass WiFi;
