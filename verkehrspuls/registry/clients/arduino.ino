// ESP32 with the Arduino core 3: publish a count each minute.
#include <WiFi.h>
#include <mqtt_client.h>
#include <time.h>

%tls static const char AUTHORITY[] = R"(
%tls $authority
%tls )";
static esp_mqtt_client_handle_t client;
static volatile unsigned long counted = 0;

void IRAM_ATTR count() { counted++; }

void setup() {
  WiFi.begin("name of the WiFi", "password of the WiFi");
  while (WiFi.status() != WL_CONNECTED) delay(500);
  configTime(0, 0, "pool.ntp.org");
  while (time(nullptr) < 1700000000) delay(500);
  pinMode(4, INPUT_PULLUP);
  attachInterrupt(4, count, FALLING);
  esp_mqtt_client_config_t config = {};
%tls   config.broker.address.uri = "mqtts://$host:$port";
%tls   config.broker.verification.certificate = AUTHORITY;
%plain   config.broker.address.uri = "mqtt://$host:$port";
  config.credentials.client_id = "$name";
  config.credentials.username = "$user";
  config.credentials.authentication.password = "$password";
  config.session.last_will.topic = "$status";
  config.session.last_will.msg = "{\"state\": \"offline\"}";
  config.session.last_will.qos = 1;
  config.session.last_will.retain = 1;
  client = esp_mqtt_client_init(&config);
  esp_mqtt_client_start(client);
  esp_mqtt_client_enqueue(client, "$status", "{\"state\": \"online\"}", 0, 1, 1, true);
}

void loop() {
  time_t began = time(nullptr) / 60 * 60;
  while (time(nullptr) < began + 60) delay(100);
  noInterrupts();
  unsigned long cars = counted;
  counted = 0;
  interrupts();
  char start[32], payload[200];
  strftime(start, sizeof start, "%Y-%m-%dT%H:%M:%SZ", gmtime(&began));
  snprintf(payload, sizeof payload,
           "{\"time\": \"%s\", \"interval_s\": 60, "
           "\"counts\": [{\"channel\": \"1\", \"classes\": {\"total\": %lu}}]}",
           start, cars);
  // kept and sent again until the broker has acknowledged it
  esp_mqtt_client_enqueue(client, "$counts", payload, 0, 1, 0, true);
}
