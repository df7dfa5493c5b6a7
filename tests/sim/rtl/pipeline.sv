// A chain of matrix layers with constant weights, one register a layer: a design of some size, for
// tests of wide beats and for the speed of the harness. Each layer computes, for every lane l,
//   y[l] = sum over i of w(layer, l, i) * x[i]   modulo 2^Width,   w = -1, 0 or 1.
module pipeline #(
    parameter int unsigned Width = 8,
    parameter int unsigned Lanes = 16,
    parameter int unsigned Layers = 3
) (
    input  logic                   clk_i,
    input  logic                   rst_ni,
    input  logic [Width*Lanes-1:0] s_axis_tdata,
    input  logic                   s_axis_tvalid,
    output logic                   s_axis_tready,
    input  logic                   s_axis_tlast,
    output logic [Width*Lanes-1:0] m_axis_tdata,
    output logic                   m_axis_tvalid,
    input  logic                   m_axis_tready,
    output logic                   m_axis_tlast
);
  logic [Layers:0] valid, last;
  logic [Width*Lanes-1:0] data[Layers+1];

  wire enable = m_axis_tready || !m_axis_tvalid;

  assign s_axis_tready = enable;
  assign valid[0] = s_axis_tvalid;
  assign last[0] = s_axis_tlast;
  assign data[0] = s_axis_tdata;
  assign m_axis_tdata = data[Layers];
  assign m_axis_tvalid = valid[Layers];
  assign m_axis_tlast = last[Layers];

  for (genvar k = 0; k < Layers; ++k) begin : gen_layer
    logic [Width*Lanes-1:0] result;
    for (genvar l = 0; l < Lanes; ++l) begin : gen_lane
      always_comb begin
        result[Width*l+:Width] = '0;
        for (int unsigned i = 0; i < Lanes; ++i) begin
          case ((7 * k + 5 * l + 3 * i) % 3)
            0: result[Width*l+:Width] += data[k][Width*i+:Width];
            1: result[Width*l+:Width] -= data[k][Width*i+:Width];
            default: ;
          endcase
        end
      end
    end
    always_ff @(posedge clk_i) begin
      if (!rst_ni) valid[k+1] <= 1'b0;
      else if (enable) valid[k+1] <= valid[k];
      if (enable) begin
        data[k+1] <= result;
        last[k+1] <= last[k];
      end
    end
  end
endmodule
