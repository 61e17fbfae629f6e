/** A part of the recipes. */
import { testRecipes } from "./recipes.ts";

testRecipes(1);
