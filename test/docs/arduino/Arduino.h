// Declarations of the Arduino core for the ESP32, as far as docs/recipes/esp32.md uses them.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdio>

typedef uint8_t byte;
#define HIGH 0x1
#define LOW 0x0
#define OUTPUT 0x03

void pinMode(uint8_t pin, uint8_t mode);
void digitalWrite(uint8_t pin, uint8_t value);
unsigned long millis();
float temperatureRead();

class String {
 public:
  String();
  String& operator+=(char character);
  bool operator==(const char* text) const;
};

class HardwareSerial {
 public:
  void begin(unsigned long baud);
  size_t printf(const char* format, ...) __attribute__((format(printf, 2, 3)));
};
extern HardwareSerial Serial;
