// VexRiscv as its configuration IMAC: five stages, caches of 4 KB for instructions and for data, static branch
// prediction, multiplications and shifts in one cycle. Memory answers in the cycle of the request, always.

module machine (
  input clock,
  input reset
);
  import "DPI-C" function int memory_read(input int address);
  import "DPI-C" function void memory_write(input int address, input int value, input int bytes);

  wire fetch_cycle, fetch_strobe, data_cycle, data_strobe, writes;
  wire [29:0] fetch_word, data_word;
  wire [31:0] value;
  wire [3:0] bytes;
  reg [31:0] instruction, answer;

  always @(negedge clock) begin  // all that the core asks has settled
    if (fetch_cycle && fetch_strobe && !reset) instruction <= memory_read({fetch_word, 2'b0});
    if (data_cycle && data_strobe && !writes && !reset) answer <= memory_read({data_word, 2'b0});
  end
  always @(posedge clock)
    if (data_cycle && data_strobe && writes && !reset) memory_write({data_word, 2'b0}, value, {28'b0, bytes});

  VexRiscv core (
    .externalResetVector(32'h10000080),
    .timerInterrupt(1'b0),
    .softwareInterrupt(1'b0),
    .externalInterruptArray(32'b0),
    .iBusWishbone_CYC(fetch_cycle),
    .iBusWishbone_STB(fetch_strobe),
    .iBusWishbone_ACK(fetch_cycle && fetch_strobe),
    .iBusWishbone_WE(),
    .iBusWishbone_ADR(fetch_word),
    .iBusWishbone_DAT_MISO(instruction),
    .iBusWishbone_DAT_MOSI(),
    .iBusWishbone_SEL(),
    .iBusWishbone_ERR(1'b0),
    .iBusWishbone_CTI(),
    .iBusWishbone_BTE(),
    .dBusWishbone_CYC(data_cycle),
    .dBusWishbone_STB(data_strobe),
    .dBusWishbone_ACK(data_cycle && data_strobe),
    .dBusWishbone_WE(writes),
    .dBusWishbone_ADR(data_word),
    .dBusWishbone_DAT_MISO(answer),
    .dBusWishbone_DAT_MOSI(value),
    .dBusWishbone_SEL(bytes),
    .dBusWishbone_ERR(1'b0),
    .dBusWishbone_CTI(),
    .dBusWishbone_BTE(),
    .clk(clock),
    .reset(reset)
  );
endmodule
