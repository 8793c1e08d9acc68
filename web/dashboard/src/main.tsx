import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import { dress } from "./lib/theme";
import "./style/tokens.css";
import "./style/base.css";
import "./style/market.css";
import "./style/system.css";

dress();
const root = document.getElementById("root");
if (root) createRoot(root).render(<StrictMode><App /></StrictMode>);
