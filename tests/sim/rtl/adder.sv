// Adds two streams beat by beat: two inputs that wait for each other, inner names, no tlast, no padding.
module adder #(
    parameter int unsigned Width = 5
) (
    input  logic             clk_i,
    input  logic             rst_ni,
    input  logic [Width-1:0] a_data_i,
    input  logic             a_valid_i,
    output logic             a_ready_o,
    input  logic [Width-1:0] b_data_i,
    input  logic             b_valid_i,
    output logic             b_ready_o,
    output logic [  Width:0] sum_data_o,
    output logic             sum_valid_o,
    input  logic             sum_ready_i
);
  wire enable = sum_ready_i || !sum_valid_o;

  assign a_ready_o = enable && b_valid_i;
  assign b_ready_o = enable && a_valid_i;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) sum_valid_o <= 1'b0;
    else if (enable) sum_valid_o <= a_valid_i && b_valid_i;
    if (enable) sum_data_o <= (Width + 1)'($signed(a_data_i)) + (Width + 1)'($signed(b_data_i));
  end
endmodule
