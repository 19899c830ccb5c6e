/* A Modbus server of libmodbus, for the driver's tests: `tcp` says its port on the first line, `rtu PATH` says 0. */
#include <arpa/inet.h>
#include <modbus/modbus.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define COUNT 100

static void serve(modbus_t *context, modbus_mapping_t *mapping) {
  uint8_t query[MODBUS_MAX_ADU_LENGTH];
  for (;;) {
    int length = modbus_receive(context, query);
    if (length < 0) return;
    if (length > 0) modbus_reply(context, query, length, mapping);
  }
}

static void fill(modbus_mapping_t *mapping) {
  for (int at = 0; at < COUNT; at++) {
    mapping->tab_registers[at] = (uint16_t)(at * 3);
    mapping->tab_input_registers[at] = (uint16_t)(0xffff - at);
    mapping->tab_bits[at] = (uint8_t)(at % 2);
    mapping->tab_input_bits[at] = (uint8_t)(at % 3 == 0);
  }
  /* 21.5, -3.25, 0.5 and 1e6 in the four orders of bytes and words; libmodbus has words for them that change with its versions. */
  const uint16_t floats[] = {0x0000, 0x41ac, 0xc050, 0x0000, 0x003f, 0x0000, 0x0024, 0x7449};
  memcpy(mapping->tab_registers + 50, floats, sizeof floats);
}

int main(int argc, char **argv) {
  int is_tcp = argc > 1 && strcmp(argv[1], "tcp") == 0;
  modbus_t *context = is_tcp ? modbus_new_tcp("127.0.0.1", 0) : modbus_new_rtu(argv[2], 19200, 'N', 8, 1);
  modbus_mapping_t *mapping = modbus_mapping_new(COUNT, COUNT, COUNT, COUNT);
  if (context == NULL || mapping == NULL) return 1;
  fill(mapping);
  int listener = -1;
  if (is_tcp) {
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    listener = modbus_tcp_listen(context, 4);
    if (listener < 0 || getsockname(listener, (struct sockaddr *)&address, &length) != 0) return 1;
    printf("%d\n", ntohs(address.sin_port));
  } else {
    modbus_set_slave(context, 1);
    if (modbus_connect(context) != 0) return 1;
    printf("0\n");
  }
  fflush(stdout);
  for (;;) {
    if (is_tcp && modbus_tcp_accept(context, &listener) < 0) return 1;
    serve(context, mapping);
    if (is_tcp) modbus_close(context);
  }
}
