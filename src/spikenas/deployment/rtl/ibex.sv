// Ibex as its configuration "maxperf": RV32IMC, three stages, multiplications in one cycle, own adder for targets of
// branches, no caches, no branch prediction. Memory answers in the next cycle, always.

module prim_buf #(
  parameter int Width = 1
) (
  input  logic [Width-1:0] in_i,
  output logic [Width-1:0] out_o
);
  assign out_o = in_i;
endmodule

module prim_clock_gating (  // the core never sleeps
  input  logic clk_i,
  input  logic en_i,
  input  logic test_en_i,
  output logic clk_o
);
  assign clk_o = clk_i;
endmodule

module machine (
  input logic clock,
  input logic reset
);
  import "DPI-C" function int memory_read(input int address);
  import "DPI-C" function void memory_write(input int address, input int value, input int bytes);

  logic fetches, fetched, asks, answered, writes;
  logic [31:0] fetch_address, instruction, address, value, answer;
  logic [3:0] bytes;

  always_ff @(posedge clock) begin
    fetched <= fetches && !reset;
    answered <= asks && !reset;
    if (fetches && !reset) instruction <= memory_read(fetch_address);
    if (asks && !reset) begin
      if (writes) memory_write(address, value, {28'b0, bytes});
      else answer <= memory_read(address);
    end
  end

  ibex_top #(
    .RV32M(ibex_pkg::RV32MSingleCycle),
    .BranchTargetALU(1'b1),
    .WritebackStage(1'b1)
  ) core (
    .clk_i(clock),
    .rst_ni(!reset),
    .test_en_i(1'b0),
    .scan_rst_ni(1'b1),
    .ram_cfg_i(prim_ram_1p_pkg::RAM_1P_CFG_DEFAULT),
    .hart_id_i(32'b0),
    .boot_addr_i(32'h10000000),  // begins at 0x80 behind it
    .instr_req_o(fetches),
    .instr_gnt_i(1'b1),
    .instr_rvalid_i(fetched),
    .instr_addr_o(fetch_address),
    .instr_rdata_i(instruction),
    .instr_rdata_intg_i(7'b0),
    .instr_err_i(1'b0),
    .data_req_o(asks),
    .data_gnt_i(1'b1),
    .data_rvalid_i(answered),
    .data_we_o(writes),
    .data_be_o(bytes),
    .data_addr_o(address),
    .data_wdata_o(value),
    .data_wdata_intg_o(),
    .data_rdata_i(answer),
    .data_rdata_intg_i(7'b0),
    .data_err_i(1'b0),
    .irq_software_i(1'b0),
    .irq_timer_i(1'b0),
    .irq_external_i(1'b0),
    .irq_fast_i(15'b0),
    .irq_nm_i(1'b0),
    .scramble_key_valid_i(1'b0),
    .scramble_key_i('0),
    .scramble_nonce_i('0),
    .scramble_req_o(),
    .debug_req_i(1'b0),
    .crash_dump_o(),
    .double_fault_seen_o(),
    .fetch_enable_i(ibex_pkg::IbexMuBiOn),
    .alert_minor_o(),
    .alert_major_internal_o(),
    .alert_major_bus_o(),
    .core_sleep_o()
  );
endmodule
