interface Window {
  lenscastBegun?: import("./begun.js").Begun;
}
